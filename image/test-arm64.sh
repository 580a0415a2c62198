#!/usr/bin/env bash
# make test-arm64 [CASES=word]: the images for 64-bit Arm in QEMU; builds them first.
set -euo pipefail
BOARD=jetson
. "$(dirname "$0")/lib.sh"

need_packages emulate-arm64
if [ -z "${SKIP_BUILD:-}" ]; then
  for board in jetson raspberrypi; do BOARD=$board "$IMAGE/build.sh"; done
fi
exec python3 -B "$IMAGE/qemu/arm64.py" "$BUILD/image" "$BUILD/image/test-arm64" --report "$BUILD/image/test-arm64.json" "$@"
