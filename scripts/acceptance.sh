#!/usr/bin/env bash
# make acceptance [CASES=word]: the acceptance suite alone.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
need_packages run
need_toolchains
need_packages test
test_peers
cd "$ROOT"
cargo build --locked -p brookboxd -p brookbox-hw-tests
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
if [ $# -gt 0 ]; then
  exec "$TARGET/debug/acceptance" --all "$@"
fi
"$TARGET/debug/acceptance"
exec "$TARGET/debug/acceptance" --timing
