#!/usr/bin/env bash
# in-chroot.sh ROOT BUILD COMMAND...: runs a command in a chroot with private mounts, this machine's network and the
# build folder under its own name. Becomes the command, so that its process id is the caller's.
set -euo pipefail
if [ "${IN_CHROOT_STEP:-}" != mounted ]; then
  IN_CHROOT_STEP=mounted exec unshare -m -- "$0" "$@"
fi
root=$1 build=$2
shift 2
unset IN_CHROOT_STEP
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t sysfs -o ro sysfs "$root/sys"
mkdir -p "$root$build" "$root/tmp/.X11-unix" /tmp/.X11-unix
mount --bind "$build" "$root$build"
mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
exec chroot "$root" "$@"
