#!/usr/bin/env bash
# The root file system as Buildroot made it, in the output folder BUILDROOT_OUTPUT; see buildroot/README.md. This only looks
# whether it is what this board's defconfig asks for.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

SERIES=2026.02
made=${BUILDROOT_OUTPUT:?is to name the output folder of a Buildroot $SERIES that made brookbox_${BOARD}_defconfig; see buildroot/README.md}
[ -s "$made/images/rootfs.tar" ] || die "$made/images/rootfs.tar is not there; see buildroot/README.md"
grep -qE "^# Buildroot $SERIES(\.[0-9]+)? Configuration" "$made/.config" || die "$made was not made by Buildroot $SERIES"
"$ROOT/buildroot/kept.sh" "$ROOT/buildroot/configs/brookbox_${BOARD}_defconfig" "$made/.config" ||
  die "$made is not of this commit's brookbox_${BOARD}_defconfig"
ln -sfn "$(realpath "$made")/images/rootfs.tar" "$WORK/packages.tar"
echo "note: $(mb "$WORK/packages.tar")"
