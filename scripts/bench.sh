#!/usr/bin/env bash
# make bench / make bench-quick: release builds, then the bench binary.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
need_packages run
need_toolchains
need_packages bench
peer_debs
cd "$ROOT"
cargo build --release --locked -p brookboxd -p brookbox-hw-tests
exec "${CARGO_TARGET_DIR:-$ROOT/target}/release/bench" "$@"
