#!/usr/bin/env bash
# What one slot holds: WORK/slot-root.img (root and its dm-verity tree) and WORK/slot-boot.img (kernel, initial file system and
# the command line with the root's hash). The same files fill the disk and the update bundle.
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
printf 'set slot_cmdline="brookbox.root=%s:%s:%s ro quiet %s panic=10 systemd.gpt_auto=no systemd.show_status=error"\n' \
  $((size / 4096)) "$hash" "$salt" "$CONSOLE" >"$WORK/slot.cfg"
fat=$WORK/slot-boot.img
"$IMAGE/fat.sh" "$fat" "$BOOT_MB" BOOT "$WORK/kernel/vmlinuz=vmlinuz" "$WORK/initrd=initrd" "$WORK/slot.cfg=slot.cfg"
echo "note: $(mb "$WORK/slot-root.img")"
