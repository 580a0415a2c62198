#!/usr/bin/env bash
# build.sh: what `make image ROOTFS=buildroot BOARD=…` does where no output folder is named: gets Buildroot (fetch.sh), builds the
# board's root file system in build/buildroot/BOARD, and, by post-image.sh, the image of it. The first time takes hours.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"

BOARD=${BOARD:-pc}
[ -f "$ROOT/buildroot/configs/brookbox_${BOARD}_defconfig" ] || die "there is no configuration of Buildroot for $BOARD"
from=$("$ROOT/buildroot/fetch.sh")
"$ROOT/buildroot/source.sh"
# Buildroot takes no notice of make's own variables, and some of this machine's would confuse it.
run() { env -u MAKEFLAGS -u MAKELEVEL -u CARGO_TARGET_DIR -u RUSTC_WRAPPER make -C "$from" O="$BUILD/buildroot/$BOARD" BR2_EXTERNAL="$ROOT/buildroot" "$@"; }
run "brookbox_${BOARD}_defconfig"
"$ROOT/buildroot/kept.sh" "$ROOT/buildroot/configs/brookbox_${BOARD}_defconfig" "$BUILD/buildroot/$BOARD/.config"
run
