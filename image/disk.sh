#!/usr/bin/env bash
# WORK/disk.img: the partitions of the layout, made in a file; no loop device and no mount.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

disk=$WORK/disk.img
parts=$WORK/parts
rm -rf "$parts" "$disk"
mkdir -p "$parts"

# The boot state: the slot that is filled, and one that is not.
for file in grubenv grubenv.2; do
  grub-editenv "$parts/$file" create
  grub-editenv "$parts/$file" set ORDER='A B' A_OK=1 A_TRY=0 B_OK=0 B_TRY=0
done
state=("$parts/grubenv=brookbox/grubenv" "$parts/grubenv.2=brookbox/grubenv.2")
front=("$IMAGE/fat/README.txt=README.txt")
case $LOADER in
grub)
  # What the provider of the root file system boots with, by its place: SOURCE=NAME lines.
  mapfile -t loader <"$WORK/esp.list"
  "$IMAGE/fat.sh" "$parts/esp" "$ESP_MB" ESP "${loader[@]}" "${state[@]}"
  ;;
tryboot)
  # A Pi 3 reads bootcode.bin and config.txt here, the others autoboot.txt.
  front+=("$WORK/boot-files/bootcode.bin=bootcode.bin" "$IMAGE/boards/$BOARD/config.txt=config.txt" "$parts/autoboot.txt=autoboot.txt"
    "${state[@]}")
  # As the box itself writes it: one whole sector.
  {
    cat "$IMAGE/boards/$BOARD/autoboot.txt"
    head -c $((512 - $(stat -c %s "$IMAGE/boards/$BOARD/autoboot.txt"))) /dev/zero | tr '\0' '\n'
  } >"$parts/autoboot.txt"
  ;;
esac
"$IMAGE/fat.sh" "$parts/brookbox" "$FAT_MB" BROOKBOX "${front[@]}"
for name in config data; do
  size=$([ $name = config ] && echo "$CONFIG_MB" || echo "$DATA_MB")
  truncate -s "${size}M" "$parts/$name"
  # As on the large disk that data become: mke2fs would choose small blocks and a small journal for what it sees here.
  options=(-m 0 -b 4096 -J size=16)
  [ $name = data ] || options=(-m 0 -J size=4)
  E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -F -t ext4 -L "$name" -U "$(uuid "$name")" "${options[@]}" \
    -E "hash_seed=$(uuid "$name seed"),lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0" "$parts/$name"
done

# The layout: name, size in MiB, type, contents.
BASIC=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7
XBOOT=BC13C2FF-59E6-4262-A352-B275FD6F7172
case $ARCH in
amd64) ROOT_TYPE=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709 ;;
arm64) ROOT_TYPE=B921B045-1DF0-41C3-AF44-4C6F280D3FAE ;;
esac
layout() {
  [ "$LOADER" != grub ] || printf 'esp %s C12A7328-F81F-11D2-BA4B-00A0C93EC93B %s\n' "$ESP_MB" "$parts/esp"
  cat <<EOF
BROOKBOX $FAT_MB $BASIC $parts/brookbox
boot-a $BOOT_MB $XBOOT $WORK/slot-boot.img
boot-b $BOOT_MB $XBOOT -
root-a $ROOT_MB $ROOT_TYPE $WORK/slot-root.img
root-b $ROOT_MB $ROOT_TYPE -
config $CONFIG_MB 6C1F8C7E-5A0B-4A4F-9D0E-3E2A1F0B7C51 $parts/config
data $DATA_MB 6C1F8C7E-5A0B-4A4F-9D0E-3E2A1F0B7C52 $parts/data
EOF
}
total=2
at=1
table="label: gpt
label-id: $(uuid disk)
unit: sectors
first-lba: 2048
"
while read -r name size type _; do
  table+="start=$((at * 2048)), size=$((size * 2048)), type=$type, uuid=$(uuid "part $name"), name=$name
"
  at=$((at + size))
  total=$((total + size))
done < <(layout)
truncate -s "${total}M" "$disk"
sfdisk --quiet --no-reread --no-tell-kernel "$disk" <<<"$table"
at=1
while read -r _ size _ file; do
  [ "$file" = - ] || dd if="$file" of="$disk" bs=1M seek="$at" conv=notrunc,sparse status=none
  at=$((at + size))
done < <(layout)
# A Raspberry Pi's firmware reads the old kind of partition table: the first three stand in both.
[ "$LOADER" != tryboot ] || "$IMAGE/hybrid.py" "$disk"
echo "note: $total MiB on the disk"
