#!/usr/bin/env bash
# make test-image [CASES=word]: every test of the PC image in QEMU; builds it first if it is not of this version.
# With --quick: one start and the main job, for `make test`.
set -euo pipefail
BOARD=pc
. "$(dirname "$0")/lib.sh"

need_packages emulate
[ "${1:-}" = --quick ] || need_packages test-image
if [ -z "${SKIP_BUILD:-}" ] || [ ! -s "$WORK/disk.img" ]; then "$IMAGE/build.sh"; fi
exec python3 -B "$IMAGE/qemu/test.py" "$WORK/disk.img" "$BUILD/image/test" --report "$BUILD/image/test.json" "$@"
