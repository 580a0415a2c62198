#!/usr/bin/env bash
# post-build.sh TARGET BOARD, called by Buildroot before it packs the root file system: what makes it an appliance, the same as
# for every other image. $HOST_DIR has the systemctl that enables units.
set -euo pipefail

target=$1 board=$2
repo=$(cd "$(dirname "$0")/.." && pwd)
PATH=$HOST_DIR/bin:$HOST_DIR/sbin:$PATH

# A kernel option that Kconfig dropped shows here, and not on the machine that lacks it.
for fragment in common "$board"; do
  "$repo/buildroot/kept.sh" "$repo/buildroot/linux/$fragment.config" "$BUILD_DIR"/linux-[0-9a-z]*/.config
done

"$repo/systemd/appliance/install.sh" "$target"
printf 'NAME=Brookbox\nID=brookbox\nPRETTY_NAME=Brookbox\n' >"$target/usr/lib/os-release"
ln -sf ../usr/lib/os-release "$target/etc/os-release"
# What nobody reads.
rm -rf "$target/usr/share/man" "$target/usr/share/bash-completion" "$target/usr/share/zoneinfo/posix" "$target/usr/share/zoneinfo/right"
