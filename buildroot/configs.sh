#!/usr/bin/env bash
# configs.sh [--check]: joins parts/ to configs/brookbox_BOARD_defconfig; with --check says whether they are joined as they are.
set -euo pipefail
cd "$(dirname "$0")"

declare -A BOARDS=(
  [pc]="pc mainline common"
  [jetson]="arm64 jetson mainline common"
  [raspberrypi]="arm64 raspberrypi common"
)

join() { # BOARD
  local part
  for part in ${BOARDS[$1]}; do
    # Comments are for the parts; a switched-off option looks like one.
    sed -n -e '/^BR2_/p' -e '/^# BR2_[A-Za-z0-9_]* is not set$/p' "parts/$part.config"
  done | sed "s/@BOARD@/$1/g; s/^BR2_\(ROOTFS_POST_BUILD_SCRIPT=.*\)/BR2_ROOTFS_POST_SCRIPT_ARGS=\"$1\"\nBR2_\1/"
}

rc=0
for board in "${!BOARDS[@]}"; do
  file=configs/brookbox_${board}_defconfig
  # An option that two parts set would silently be that of the later one.
  twice=$(join "$board" | sed 's/^# //; s/[ =].*//' | sort | uniq -d)
  [ -z "$twice" ] || { printf '%s: set twice: %s\n' "$file" "$twice" && rc=1; }
  if [ "${1:-}" = --check ]; then
    join "$board" | cmp -s - "$file" || { printf '%s is not what its parts say; run buildroot/configs.sh\n' "$file" && rc=1; }
  else
    join "$board" >"$file"
  fi
done
exit $rc
