#!/usr/bin/env bash
# The root file system as Debian's packages make it, in CACHE/packages-….tar; kept until the archive or the list changes.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

archive_update || { [ -s "$APT/sources.list" ] && say "the package lists could not be renewed; going on with those of before"; }
include=$(listed "$IMAGE/debian/packages.txt" | paste -sd , -)
for name in "${PACKAGES[@]}"; do include+=,$name; done
# Without the suite of the kernel: boards that differ in that alone share the packages.
state=$(archive_state "$SUITE" "$SUITE-updates" "$SUITE-security")
key=$(printf '%s\n' "$include" "$ARCH" "$state" "$(cat "$0")" | sha256sum | cut -c 1-16)
tar=$CACHE/packages-$ARCH-$key.tar
ln -sfn "$tar" "$WORK/packages.tar"
if [ -s "$tar" ]; then
  echo "note: unchanged since the last build"
  exit 0
fi

mode=root run=()
if [ -n "$FOREIGN" ]; then
  run=(owned)
elif [ "$(id -u)" != 0 ]; then
  mode=unshare
fi
# Licences are collected from the tree; all other documentation and translations stay out.
"${run[@]}" mmdebstrap --mode="$mode" --arch="$ARCH" --variant=essential --include="$include" --format=tar \
  --aptopt='Apt::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
  "$SUITE" "$tar.part" "$APT/sources.list"
mv "$tar.part" "$tar"
# Only the newest is of use again.
find "$CACHE" -maxdepth 1 -name "packages-$ARCH-*.tar" ! -path "$tar" -delete
echo "note: $(mb "$tar")"
