#!/usr/bin/env bash
# WORK/tree: Debian's packages, kernel, firmware, the daemon and what makes it an appliance; then WORK/root.img, a squashfs of
# it. Runs with all ids (see owned).
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

tree=$WORK/tree
rm -rf "$tree" "$WORK/papers"
mkdir -p "$tree" "$WORK/papers"
tar -C "$tree" --numeric-owner --exclude='./dev/*' -xf "$WORK/packages.tar"

# What the papers are made from, before it goes.
cp "$tree/var/lib/dpkg/status" "$WORK/papers/dpkg-status"
cp "$WORK/unpacked.list" "$WORK/papers/unpacked"
cp -RL "$tree/usr/share/common-licenses" "$WORK/papers/common-licenses"
for doc in "$tree/usr/share/doc" "$WORK/unpacked/usr/share/doc"; do
  (cd "$doc" && find . -name copyright -exec cp -RL --parents {} "$WORK/papers" \;)
done

# grub-editenv is all that RAUC wants of GRUB's tools.
(cd "$CACHE" && archive apt-get -q download grub-common)
dpkg-deb --fsys-tarfile "$(find "$CACHE" -maxdepth 1 -name "grub-common_*_$ARCH.deb" | sort -V | tail -n 1)" |
  tar -C "$tree" --no-same-owner -xf - ./usr/bin/grub-editenv

while read -r pattern; do
  # shellcheck disable=SC2086  # patterns
  (cd "$tree" && rm -rf -- $pattern)
done < <(listed "$IMAGE/debian/drop-files.txt" | sed "s/x86_64-linux-gnu/$MULTIARCH/")
rm -rf "${tree:?}/dev" "$tree/etc/.pwd.lock"
mkdir "$tree/dev"

cp -R "$WORK/kernel/usr" "$tree/"
mkdir -p "$tree/boot"

DAEMON=$WORK/brookboxd PREFIX=/usr DESTDIR=$tree "$ROOT/systemd/install.sh" install
rm -rf "$tree/usr/share/man"
"$ROOT/systemd/appliance/install.sh" "$tree"
install -D -m 644 "${BROOKBOX_BUNDLE_CA:-$BUILD/image/development-keys/ca.pem}" "$tree/etc/rauc/keyring.pem"
sed -e "s|@COMPATIBLE@|$COMPATIBLE|" "$IMAGE/boards/$BOARD/rauc.conf" >"$tree/etc/rauc/system.conf"
# What only this board has.
[ ! -d "$IMAGE/boards/$BOARD/root" ] || cp -R "$IMAGE/boards/$BOARD/root/." "$tree/"
# A number that stays the same from one version to the next, because data belong to it.
sed -i 's/^u brookbox -/u brookbox 970/' "$tree/usr/lib/sysusers.d/brookbox.conf"
chroot "$tree" systemd-sysusers
# The copies that tools leave of the files of users.
rm -f "$tree"/etc/*-
printf 'IMAGE_ID=brookbox-%s\nIMAGE_VERSION=%s\n' "$BOARD" "$VERSION" >>"$tree/usr/lib/os-release"
# The names of time zones stay: the page offers them. Their older twins do not.
rm -rf "$tree/usr/share/zoneinfo/posix" "$tree/usr/share/zoneinfo/right"

# Debian's choices between equals: nothing here has one but awk, which busybox is.
find "$tree/usr/bin" "$tree/usr/sbin" -type l -lname '/etc/alternatives/*' -delete
rm -rf "$tree/etc/alternatives" "$tree/usr/bin/mawk"
ln -s busybox "$tree/usr/bin/awk"

find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"
rm -f "$WORK/root.img"
mksquashfs "$tree" "$WORK/root.img" -quiet -no-progress -noappend -comp zstd -Xcompression-level "${SQUASHFS_LEVEL:-19}" -b 256K -xattrs
echo "note: $(mb "$WORK/root.img"), $(du -sm "$tree" | cut -f1) MB unpacked"
