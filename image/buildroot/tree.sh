#!/usr/bin/env bash
# WORK/tree: the root file system of Buildroot with what belongs to one build: keys, names, the number of the daemon's user.
# Then WORK/root.img, a squashfs of it. Runs with all ids (see owned).
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

tree=$WORK/tree
rm -rf "$tree" "$WORK/papers"
mkdir -p "$tree" "$WORK/papers/common-licenses"
tar -C "$tree" --numeric-owner --exclude='./dev/*' -xf "$WORK/packages.tar"

# What was built for the target, by its folder's name; Buildroot's own papers are those of `make legal-info`.
for stamp in "$BUILDROOT_OUTPUT"/build/*/.stamp_{target,images}_installed; do
  [ ! -e "$stamp" ] || basename "$(dirname "$stamp")"
done | sort -u >"$WORK/papers/buildroot"
if [ -s "$BUILDROOT_OUTPUT/legal-info/manifest.csv" ]; then cp "$BUILDROOT_OUTPUT/legal-info/manifest.csv" "$WORK/papers/"; fi

install -D -m 755 "$WORK/brookboxd" "$tree/usr/bin/brookboxd"
[ ! -d "$IMAGE/boards/$BOARD/root" ] || cp -R "$IMAGE/boards/$BOARD/root/." "$tree/"
install -D -m 644 "${BROOKBOX_BUNDLE_CA:-$BUILD/image/development-keys/ca.pem}" "$tree/etc/rauc/keyring.pem"
sed -e "s|@COMPATIBLE@|$COMPATIBLE|" "$IMAGE/boards/$BOARD/rauc.conf" >"$tree/etc/rauc/system.conf"
# A number that stays the same from one version to the next, because data belong to it.
sed -i 's/^u brookbox -/u brookbox 970/' "$tree/usr/lib/sysusers.d/brookbox.conf"
systemd-sysusers --root="$tree"
rm -f "$tree"/etc/*-
printf 'IMAGE_ID=brookbox-%s\nIMAGE_VERSION=%s\n' "$BOARD" "$VERSION" >>"$tree/usr/lib/os-release"
mkdir -p "$tree/boot" "$tree/dev"

find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"
rm -f "$WORK/root.img"
mksquashfs "$tree" "$WORK/root.img" -quiet -no-progress -noappend -comp zstd -Xcompression-level "${SQUASHFS_LEVEL:-19}" -b 256K -xattrs
echo "note: $(mb "$WORK/root.img"), $(du -sm "$tree" | cut -f1) MB unpacked"
