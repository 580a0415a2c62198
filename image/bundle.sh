#!/usr/bin/env bash
# OUT/NAME.raucb: both files of a slot, signed. Nothing in it runs code of its own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

bundle=$WORK/bundle
keys=$BUILD/image/development-keys
rm -rf "$bundle" "$OUT/$NAME.raucb"
mkdir -p "$bundle"
cp "$WORK/slot-root.img" "$bundle/root.img"
cp "$WORK/slot-boot.img" "$bundle/boot.img"
cat >"$bundle/manifest.raucm" <<EOF
[update]
compatible=$COMPATIBLE
version=$VERSION

[bundle]
format=verity

[image.rootfs]
filename=root.img

[image.boot]
filename=boot.img
EOF
find "$bundle" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
rauc --cert="${BROOKBOX_BUNDLE_CERT:-$keys/cert.pem}" --key="${BROOKBOX_BUNDLE_KEY:-$keys/key.pem}" \
  --keyring="${BROOKBOX_BUNDLE_CA:-$keys/ca.pem}" --mksquashfs-args="-comp zstd -Xcompression-level 1" \
  bundle "$bundle" "$OUT/$NAME.raucb"
echo "note: $(mb "$OUT/$NAME.raucb")"
