#!/usr/bin/env bash
# kept.sh WANTED CONFIG: whether every option of WANTED (a defconfig, or a kernel fragment) is in CONFIG, the .config that
# Kconfig made of it. Kconfig drops what depends on something that is not there, and says nothing.
set -euo pipefail

if [ $# != 2 ] || [ ! -r "$1" ] || [ ! -r "$2" ]; then
  printf 'usage: kept.sh WANTED CONFIG\n' >&2
  exit 2
fi
rc=0 count=0
while IFS= read -r line; do
  case $line in
  '# '*' is not set') name=${line#\# } name=${name%% *} ;;
  '' | '#'*) continue ;;
  *) name=${line%%=*} ;;
  esac
  count=$((count + 1))
  grep -qxF -- "$line" "$2" && continue
  got=$(grep -m 1 -E "^(# )?${name}[ =]" "$2" || true)
  # What is to be off may as well be out of sight.
  case $line$got in '# '*' is not set') continue ;; esac
  printf 'dropped: %s (now: %s)\n' "$line" "${got:-no such option in sight}"
  rc=1
done <"$1"
printf '%s: %s options looked at\n' "${1##*/}" "$count"
exit $rc
