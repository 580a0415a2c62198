#!/usr/bin/env bash
# fat.sh FILE MIB LABEL SOURCE=NAME...: a FAT file system in a file, the same bytes for the same inputs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

file=$1 size=$2 label=$3
shift 3
rm -f "$file"
truncate -s "${size}M" "$file"
serial=$(uuid "fat $label" | tr -d - | cut -c 1-8)
# FAT32 from the size on at which one-sector clusters are enough of them; the initial file system looks for its serial number.
kind=(-F 16)
[ "$size" -lt 40 ] || kind=(-F 32 -s 1)
mkfs.vfat --invariant "${kind[@]}" -i "$serial" -n "$label" "$file"
made=' '
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
for pair in "$@"; do
  name=${pair#*=}
  folder=$(dirname "$name")
  path=
  if [ "$folder" != . ]; then
    for part in ${folder//\// }; do
      path=$path/$part
      case $made in *" $path "*) continue ;; esac
      mmd -i "$file" "::$path"
      made="$made$path "
    done
  fi
  cp "${pair%%=*}" "$stage/file"
  touch -d "@$SOURCE_DATE_EPOCH" "$stage/file"
  TZ=UTC mcopy -m -i "$file" "$stage/file" "::$name"
done
