#!/usr/bin/env bash
# Kernel, modules, firmware and the signed boot chain, unpacked from their packages (installing them would bring along an
# initial file system and its tools), and of those what this board can use. In WORK/kernel and WORK/boot-chain.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

kernel=$(archive apt-cache depends "$KERNEL_PACKAGE" | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
[ -n "$kernel" ] || die "$KERNEL_PACKAGE names no kernel in $SUITE"
names=("$kernel" "${BOOT_PACKAGES[@]}" "${FIRMWARE[@]}")
archive_key=$(printf '%s\n' "${names[@]}" "$(archive_state)" | sha256sum | cut -c 1-16)
prune_key=$archive_key-$(fingerprint "$IMAGE/debian" | cut -c 1-16)

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
  "$IMAGE/debian/prune-kernel.py" --unpacked "$WORK/unpacked" --into "$WORK/kernel" \
    --drop "$IMAGE/debian/drop-modules.txt" --keep "$IMAGE/debian/keep-modules.txt" \
    --drop-firmware "$IMAGE/debian/drop-firmware.txt"
  printf '%s\n' "$prune_key" >"$WORK/kernel.key"
fi
echo "note: $(cat "$WORK/kernel/summary")"
