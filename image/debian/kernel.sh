#!/usr/bin/env bash
# Kernel, modules, firmware and the signed boot chain, unpacked from their packages (installing them would bring along an
# initial file system and its tools), and of those what this board can use. In WORK/kernel, WORK/esp.list and WORK/boot-files.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

# The kernel, and what newer ones are divided into; with the suite, where it is not the one of the rest.
from=${KERNEL_SUITE:+/$KERNEL_SUITE}
depends() {
  archive apt-cache ${from:+-o APT::Default-Release="$KERNEL_SUITE"} depends "$1" | awk '$1 == "Depends:" { print $2 }'
}
kernel=$(depends "$KERNEL_PACKAGE" | grep -m 1 '^linux-image-[0-9]' || true)
[ -n "$kernel" ] || die "$KERNEL_PACKAGE names no kernel in ${KERNEL_SUITE:-$SUITE}"
names=("$kernel$from")
for name in $(depends "$kernel" | grep -E '^linux-(base|binary|modules)-[0-9]' || true); do names+=("$name$from"); done
names+=("${BOOT_PACKAGES[@]}" "${FIRMWARE[@]}")
archive_key=$(printf '%s\n' "${names[@]}" "$(archive_state)" | sha256sum | cut -c 1-16)
prune_key=$archive_key-$(fingerprint "$IMAGE/debian" "$IMAGE/boards/$BOARD" | cut -c 1-16)

unpack() {
  local debs=$CACHE/debs-$ARCH name deb
  rm -rf "$WORK/unpacked"
  mkdir -p "$debs" "$WORK/unpacked"
  (cd "$debs" && archive apt-get -q download "${names[@]}")
  : >"$WORK/unpacked.list"
  for name in "${names[@]}"; do
    # The file that apt just chose: the newest of that name.
    deb=$(archive apt-get -q --print-uris download "$name" | awk '{ print $2; exit }')
    dpkg-deb -x "$debs/$deb" "$WORK/unpacked"
    dpkg-deb -f "$debs/$deb" Package Version Architecture Source >>"$WORK/unpacked.list"
    printf '\n' >>"$WORK/unpacked.list"
  done
  find "$debs" -name '*.deb' -mtime +30 -delete
}

if [ "$(cat "$WORK/unpacked.key" 2>/dev/null)" != "$archive_key" ]; then
  rm -f "$WORK/unpacked.key"
  unpack
  printf '%s\n' "$archive_key" >"$WORK/unpacked.key"
fi
if [ "$(cat "$WORK/kernel.key" 2>/dev/null)" != "$prune_key" ]; then
  rm -rf "$WORK/kernel" "$WORK/kernel.key"
  # What every board drops and keeps, and this one's own lists.
  lists=()
  for list in drop-modules keep-modules drop-firmware keep-firmware; do
    for file in "$IMAGE/debian/$list.txt" "$IMAGE/boards/$BOARD/$list.txt"; do
      [ ! -e "$file" ] || lists+=("--$list" "$file")
    done
  done
  "$IMAGE/debian/prune-kernel.py" --unpacked "$WORK/unpacked" --into "$WORK/kernel" "${lists[@]}"
  printf '%s\n' "$prune_key" >"$WORK/kernel.key"
fi

# What starts it, where the disk's and the slots' scripts look for it.
boot=$WORK/unpacked/usr/lib
case $LOADER in
grub)
  printf '%s\n' "$boot/shim/shim$EFI_NAME.efi.signed=EFI/BOOT/BOOT${EFI_NAME^^}.EFI" \
    "$(echo "$boot"/grub/*-efi-signed/"grub$EFI_NAME.efi.signed")=EFI/BOOT/grub$EFI_NAME.efi" \
    "$IMAGE/boards/$BOARD/grub.cfg=EFI/debian/grub.cfg" >"$WORK/esp.list"
  ;;
tryboot)
  rm -rf "$WORK/boot-files"
  mkdir -p "$WORK/boot-files"
  cp "$boot"/raspi-firmware/{bootcode.bin,start.elf,fixup.dat,start4.elf,fixup4.dat} "$WORK/boot-files/"
  trees=$(find "$boot/modules" "$boot" -maxdepth 3 -type d -path '*/broadcom' | head -n 1)
  for tree in "${DEVICE_TREES[@]}"; do
    cp "$trees/${tree%=*}.dtb" "$WORK/boot-files/${tree%=*}.dtb"
    [ "${tree%=*}" = "${tree#*=}" ] || cp "$trees/${tree%=*}.dtb" "$WORK/boot-files/${tree#*=}.dtb"
  done
  ;;
esac
echo "note: $(cat "$WORK/kernel/summary")"
