#!/usr/bin/env bash
# What lies beside an image: the image compressed, bill of materials, licences, an entry for Raspberry Pi Imager, checksums.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

image=$OUT/$NAME.img
# The contents are compressed already: only the empty space matters. Blocks of a fixed size make the result independent of
# the number of processors.
xz --threads=0 --block-size=33554432 -0 --stdout "$WORK/disk.img" >"$image.xz"
cargo metadata --locked --format-version 1 --manifest-path "$ROOT/Cargo.toml" \
  --filter-platform "$([ "$ARCH" = amd64 ] && echo x86_64 || echo aarch64)-unknown-linux-gnu" >"$WORK/papers/cargo.json"
"$IMAGE/papers.py" --papers "$WORK/papers" --npm "$ROOT/web/package-lock.json" --version "$VERSION" --board "$BOARD" \
  --bom "$OUT/$NAME.cdx.json" --licences "$OUT/$NAME.licences.txt"
"$IMAGE/imager.py" "$WORK/disk.img" "$image.xz" --name "Brookbox $VERSION" --description "$DESCRIPTION" --board "$BOARD" \
  >"$OUT/$NAME.imager.json"
(cd "$OUT" && sha256sum "$NAME.img.xz" "$NAME.raucb" "$NAME.cdx.json" "$NAME.licences.txt" "$NAME.imager.json" >"$NAME.SHA256SUMS")
echo "note: $(mb "$image.xz")"
