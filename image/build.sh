#!/usr/bin/env bash
# make image BOARD=pc|raspberrypi|jetson: from sources and packages to a flashable image, an update bundle, and the papers beside them.
# The parts are scripts of their own; each takes its inputs from build/image/BOARD and leaves its results there.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ROOTFS=${ROOTFS:-debian}
[ -d "$IMAGE/$ROOTFS" ] || die "there is no provider $ROOTFS of a root file system; there are: debian, buildroot"
if [ "$ROOTFS" = buildroot ]; then
  # Without an output folder it is built first, and this is called again at its end.
  [ -n "${BUILDROOT_OUTPUT:-}" ] || exec "$ROOT/buildroot/build.sh"
  [ -d "$BUILDROOT_OUTPUT" ] || die "BUILDROOT_OUTPUT has to name the output folder of Buildroot; see buildroot/README.md"
  # It has built the daemon too.
  DAEMON=$(realpath "$BUILDROOT_OUTPUT")/target/usr/bin/brookboxd
  export DAEMON
fi
need_packages run
need_toolchains
need_packages image
[ -z "$FOREIGN" ] || need_packages "$ARCH"
[ "$(id -u)" = 0 ] || unshare --user --map-root-user --map-auto true 2>/dev/null ||
  die "this user may not make user name spaces (see /etc/subuid, and sysctl kernel.unprivileged_userns_clone); run it as root"

STEPS=11
START=$(date +%s)
say "Brookbox $VERSION for $DESCRIPTION"
step "the page" web_build
step "the daemon" "$IMAGE/daemon.sh"
step "keys of the update bundles" "$IMAGE/keys.sh"
step "packages" "$IMAGE/$ROOTFS/packages.sh"
step "kernel and firmware" "$IMAGE/$ROOTFS/kernel.sh"
step "root file system" owned "$IMAGE/$ROOTFS/tree.sh"
step "initial file system" owned "$IMAGE/initramfs/build.sh"
step "dm-verity and boot partition" "$IMAGE/slot.sh"
step "disk image" "$IMAGE/disk.sh"
step "update bundle" "$IMAGE/bundle.sh"
step "compression and papers" "$IMAGE/papers.sh"

say
say "  $OUT/$NAME.img.xz   $(mb "$OUT/$NAME.img.xz"), to be flashed"
say "  $OUT/$NAME.raucb    $(mb "$OUT/$NAME.raucb"), an update for a box that runs"
say "  beside them: checksums, bill of materials, licences, entry for Raspberry Pi Imager"
say "  built in $(($(date +%s) - START)) s; try it: make emulate"
