#!/usr/bin/env bash
# Kernel and boot chain from BUILDROOT_OUTPUT, where the disk's and the slots' scripts look for them: WORK/kernel,
# WORK/esp.list, WORK/boot-files. The modules are in the root file system already.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

images=$BUILDROOT_OUTPUT/images
rm -rf "$WORK/kernel" "$WORK/boot-files"
mkdir -p "$WORK/kernel" "$WORK/boot-files"
case $ARCH in
amd64) cp "$images/bzImage" "$WORK/kernel/vmlinuz" ;;
arm64) cp "$images/Image" "$WORK/kernel/vmlinuz" ;;
esac
tar -tf "$WORK/packages.tar" | sed -n 's|^\./usr/lib/modules/\([^/]*\)/$|\1|p' | sort -u >"$WORK/kernel/version"
[ "$(wc -l <"$WORK/kernel/version")" = 1 ] || die "there is not one version of kernel modules in $images/rootfs.tar"

case $LOADER in
grub)
  # GRUB without a signature: Secure Boot has to be off. It looks for its configuration beside itself.
  name=BOOT${EFI_NAME^^}.EFI
  printf '%s\n' "$images/efi-part/EFI/BOOT/${name,,}=EFI/BOOT/$name" "$IMAGE/boards/$BOARD/grub.cfg=EFI/BOOT/grub.cfg" \
    >"$WORK/esp.list"
  ;;
tryboot) cp "$images"/rpi-firmware/{bootcode.bin,start.elf,fixup.dat,start4.elf,fixup4.dat} "$images"/*.dtb "$WORK/boot-files/" ;;
esac
echo "note: Linux $(cat "$WORK/kernel/version")"
