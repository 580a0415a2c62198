#!/usr/bin/env bash
# post-image.sh IMAGES BOARD, called by Buildroot when it is done: the image's own scripts make of its results the layout, the
# update bundle and the papers that every other image has.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
# Not Buildroot's own environment: these scripts are the machine's.
exec env -i HOME="$HOME" PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" BOARD="$2" ROOTFS=buildroot \
  BUILDROOT_OUTPUT="$BASE_DIR" ${VERSION:+VERSION="$VERSION"} "$repo/image/build.sh"
