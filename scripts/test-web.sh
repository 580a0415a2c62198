#!/usr/bin/env bash
# make test-web: the page with everything: every screen in five languages, both themes and three widths, the set-up in
# every way, and Firefox. Takes a while; `make test` runs the part that tells most.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
need_packages run
need_packages test
need_packages web
need_toolchains
cargo build --locked -p brookboxd
web_build
npm run --prefix web --silent check
npm run --prefix web --silent test
E2E_ALL=1 BROOKBOXD=${CARGO_TARGET_DIR:-$ROOT/target}/debug/brookboxd npm run --prefix web --silent e2e
