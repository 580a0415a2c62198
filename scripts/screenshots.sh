#!/usr/bin/env bash
# make screenshots: every screen of a real box in both themes and two sizes, into build/screenshots.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
need_packages run
need_packages test
need_toolchains
cargo build --locked -p brookboxd
web_build
SHOTS=${SHOTS:-$BUILD/screenshots}
rm -rf "$SHOTS"
SHOTS=$SHOTS BROOKBOXD=${CARGO_TARGET_DIR:-$ROOT/target}/debug/brookboxd npm run --prefix web --silent screenshots
say "$(find "$SHOTS" -name '*.png' | wc -l) pictures in $SHOTS"
