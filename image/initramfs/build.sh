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

# Programs from the root file system with the libraries that they are linked with, read from the files: they may be for
# another processor.
needs() { # FILE of the tree
  local name place
  while read -r name; do
    for place in "usr/lib/$MULTIARCH" usr/lib usr/lib64; do
      [ -e "$tree/$place/$name" ] || continue
      [ -e "$into/$place/$name" ] || {
        install -D -m 755 "$tree/$place/$name" "$into/$place/$name"
        needs "$place/$name"
      }
      continue 2
    done
    die "$1 is linked with $name, which the root file system does not have"
  done < <(readelf --dynamic "$tree/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
}
for program in /usr/bin/busybox /usr/sbin/dmsetup "${INITRAMFS_PROGRAMS[@]}"; do
  install -m 755 "$tree$program" "$into/bin/${program##*/}"
  needs "$program"
  # What starts a program that is linked with libraries.
  interpreter=$(readelf --program-headers "$tree$program" | sed -n 's/.*program interpreter: \/\(.*\)\]/\1/p')
  [ -z "$interpreter" ] || install -D -m 755 "$tree/$interpreter" "$into/$interpreter"
done
[ "$LOADER" != tryboot ] || install -m 755 "$tree/usr/lib/brookbox/tryboot" "$into/bin/tryboot"

# First what every start needs, in an order without soft dependencies, which busybox does not know.
first=(dm-verity squashfs ext4)
for name in sha256-ssse3 sha2-ce sha256-arm64 crc32c-intel crc32c_generic; do
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
