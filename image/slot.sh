#!/usr/bin/env bash
# What one slot holds: WORK/slot-root.img (root and its dm-verity tree) and WORK/slot-boot.img (kernel, initial file system and
# the command line with the root's hash; on a Raspberry Pi its firmware and device trees too). The same files fill the disk and the update bundle.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cp "$WORK/root.img" "$WORK/slot-root.img"
size=$((($(stat -c %s "$WORK/root.img") + 4095) / 4096 * 4096))
truncate -s "$size" "$WORK/slot-root.img"
salt=$(printf 'brookbox %s' "$VERSION" | sha256sum | cut -d' ' -f1)
hash=$(veritysetup format --no-superblock --data-block-size=4096 --hash-block-size=4096 --data-blocks=$((size / 4096)) \
  --hash-offset="$size" --salt="$salt" "$WORK/slot-root.img" "$WORK/slot-root.img" | awk '/^Root hash:/ { print $3 }')
[ ${#hash} = 64 ] || die "veritysetup gave no root hash"
[ "$(stat -c %s "$WORK/slot-root.img")" -le $((ROOT_MB << 20)) ] || die "the root is larger than its partition ($ROOT_MB MiB)"
cmdline="brookbox.root=$((size / 4096)):$hash:$salt ro quiet $CONSOLE panic=10 systemd.gpt_auto=no systemd.show_status=error"
case $LOADER in
grub)
  printf 'set slot_cmdline="%s"\n' "$cmdline" >"$WORK/slot.cfg"
  files=("$WORK/kernel/vmlinuz=vmlinuz" "$WORK/initrd=initrd" "$WORK/slot.cfg=slot.cfg")
  ;;
tryboot)
  # A Raspberry Pi: kernel, its firmware and its settings lie together, and the firmware says which slot it read.
  printf '%s brookbox.tryboot=1\n' "$cmdline" >"$WORK/cmdline.txt"
  gzip -9 -n <"$WORK/kernel/vmlinuz" >"$WORK/kernel8.img"
  files=("$WORK/kernel8.img=kernel8.img" "$WORK/initrd=initrd" "$WORK/cmdline.txt=cmdline.txt"
    "$IMAGE/boards/$BOARD/config.txt=config.txt")
  for file in "$WORK"/boot-files/*; do files+=("$file=${file##*/}"); done
  ;;
esac
fat=$WORK/slot-boot.img
"$IMAGE/fat.sh" "$fat" "$BOOT_MB" BOOT "${files[@]}"
echo "note: $(mb "$WORK/slot-root.img")"
