#!/usr/bin/env bash
# Kernel, modules, firmware and the signed boot chain, unpacked from their packages (installing them would bring along an
# initial file system and its tools), and of those what this board can use. In WORK/kernel and WORK/boot-chain.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

kernel=$(archive apt-cache depends "$KERNEL_PACKAGE" | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
[ -n "$kernel" ] || die "$KERNEL_PACKAGE names no kernel in $SUITE"
names=("$kernel" "${BOOT_PACKAGES[@]}" "${FIRMWARE[@]}")
key=$(printf '%s\n' "${names[@]}" "$(archive_state)" \
  "$(fingerprint "$IMAGE/debian" "$IMAGE/boards/$BOARD")" | sha256sum | cut -c 1-16)
if [ "$(cat "$WORK/kernel.key" 2>/dev/null)" = "$key" ]; then
  echo "note: unchanged since the last build"
  exit 0
fi

rm -rf "$WORK/kernel" "$WORK/kernel.key" "$WORK/unpacked"
debs=$CACHE/debs-$ARCH
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
"$IMAGE/debian/prune-kernel.py" --unpacked "$WORK/unpacked" --into "$WORK/kernel" \
  --drop "$IMAGE/debian/drop-modules.txt" --keep "$IMAGE/debian/keep-modules.txt" \
  --drop-firmware "$IMAGE/debian/drop-firmware.txt"
find "$debs" -name '*.deb' -mtime +30 -delete
printf '%s\n' "$key" >"$WORK/kernel.key"
echo "note: $(cat "$WORK/kernel/summary")"
