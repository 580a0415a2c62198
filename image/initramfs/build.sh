#!/usr/bin/env bash
# WORK/initrd: busybox, dmsetup, the modules that a disk may need, and init. Runs with all ids (see owned).
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

tree=$WORK/tree
into=$WORK/initramfs
kernel=$(cat "$WORK/kernel/version")
rm -rf "$into"
mkdir -p "$into"/{bin,dev,proc,sys,run,root} "$into/usr/lib/modules/$kernel"
ln -s usr/lib "$into/lib"
ln -s usr/lib64 "$into/lib64"
mkdir -p "$into/usr/lib64"
install -m 755 "$IMAGE/initramfs/init" "$into/init"
install -m 755 "$tree/usr/bin/busybox" "$into/bin/busybox"
for name in $("$tree/usr/bin/busybox" --list); do [ "$name" = busybox ] || ln -s busybox "$into/bin/$name"; done

# dmsetup with its libraries, from the root file system.
install -m 755 "$tree/usr/sbin/dmsetup" "$into/bin/dmsetup"
needs() { chroot "$tree" /usr/bin/ldd "$1" | grep -o '/[^ ]*' | sort -u; }
while read -r library; do
  install -D -m 755 "$tree$library" "$into/${library/#\/lib/\/usr\/lib}"
done < <(needs /usr/sbin/dmsetup)

# First what every start needs, in an order without soft dependencies, which busybox does not know.
first=(dm-verity squashfs ext4)
for name in sha256-ssse3 sha256-ce crc32c-intel crc32c_generic; do
  [ -z "$(find "$WORK/kernel" -name "$name.ko")" ] || first=("$name" "${first[@]}")
done
printf '%s\n' "${first[*]} ${DISK_MODULES[*]}" >"$into/modules.first"
for name in "${first[@]}" "${DISK_MODULES[@]}"; do
  modprobe --dirname="$tree" --set-version="$kernel" --show-depends "$name" | awk '$1 == "insmod" { print $2 }'
done | sed "s|^$tree/*|/|; s|^/lib/|/usr/lib/|" | sort -u | while read -r module; do
  install -D -m 644 "$tree$module" "$into$module"
done
cp "$tree/usr/lib/modules/$kernel"/modules.{builtin,builtin.modinfo,order} "$into/usr/lib/modules/$kernel/"
depmod -b "$into" "$kernel"
rm -f "$into/usr/lib/modules/$kernel"/*.bin

find "$into" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
(cd "$into" && find . -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc -R 0:0 --reproducible | zstd -q -19 -T1) >"$WORK/initrd"
echo "note: $(mb "$WORK/initrd")"
