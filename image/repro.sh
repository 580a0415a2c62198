#!/usr/bin/env bash
# make image-repro: builds the image twice from the same commit and the same packages, the second time with nothing kept but
# downloads, and compares what came out. The signature of the update bundle holds the time of its making; all else is the same.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

parts=(root.img initrd slot-root.img slot-boot.img disk.img)
build() {
  rm -rf "$CACHE/packages-$ARCH"-*.tar "$WORK/kernel.key" "$WORK/unpacked.key"
  "$IMAGE/build.sh"
  (cd "$WORK" && sha256sum "${parts[@]}")
  (cd "$OUT" && sha256sum "$NAME.img.xz" "$NAME.cdx.json" "$NAME.licences.txt" "$NAME.imager.json")
}
build | tee "$WORK/first.log"
build | tee "$WORK/second.log"
# Only lines of sums; the others tell times.
if diff <(grep -E '^[0-9a-f]{64} ' "$WORK/first.log") <(grep -E '^[0-9a-f]{64} ' "$WORK/second.log"); then
  say "the two builds are byte-identical, but for the bundle's signature"
else
  die "the two builds differ in the files above"
fi
