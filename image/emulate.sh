#!/usr/bin/env bash
# make emulate: builds the PC image if there is none of this version yet, and starts it in QEMU.
set -euo pipefail
BOARD=pc
. "$(dirname "$0")/lib.sh"

need_packages emulate
if [ ! -s "$WORK/disk.img" ] || [ ! -s "$OUT/$NAME.img.xz" ] || [ "$WORK/disk.img" -nt "$OUT/$NAME.img.xz" ]; then
  "$IMAGE/build.sh"
fi
exec "$IMAGE/emulate.py" "$WORK/disk.img" "$BUILD/image/emulate"
