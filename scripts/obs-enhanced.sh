#!/usr/bin/env bash
# make test-obs-enhanced: OBS Studio's own Enhanced RTMP (AV1). Debian 12's OBS 29 has none, so OBS 30 comes from
# Debian 13 in a chroot of its own below build/, with this machine's network and private mounts. Needs root, one
# gigabyte of disk and some minutes the first time.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"

SUITE=trixie
NEWER=$BUILD/$SUITE
[ "$(id -u)" = 0 ] || die "a chroot needs root; run: sudo -E make test-obs-enhanced"
need_packages run
need_toolchains
need_packages test
need_packages obs
test_peers

# The mirror that this machine's own apt uses.
mirror() {
  # shellcheck disable=SC2016  # $(...) is apt's own format
  apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1
}

make_newer() {
  rm -rf "$NEWER"
  step_line "a minimal Debian $SUITE in $NEWER"
  debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$NEWER" "$(mirror)" >"$BUILD/debootstrap.log" 2>&1 || {
    tail -n 20 "$BUILD/debootstrap.log" >&2
    return 1
  }
  # No package may start a service.
  printf '#!/bin/sh\nexit 101\n' >"$NEWER/usr/sbin/policy-rc.d"
  chmod +x "$NEWER/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$NEWER/etc/resolv.conf"
  step_line "OBS in it"
  in_newer sh -c 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
    obs-studio obs-plugins libgl1-mesa-dri >/dev/null'
}

# in_newer COMMAND...: runs it there; its mounts are gone with it. BUILD is seen under its own name.
in_newer() { "$ROOT/scripts/in-chroot.sh" "$NEWER" "$BUILD" "$@"; }

[ -x "$NEWER/usr/bin/obs" ] || rm -f "$BUILD/stamps/newer"
unless_done newer "$SUITE" make_newer

cd "$ROOT"
cargo build --locked -p brookboxd -p brookbox-hw-tests
OBS_CHROOT=$NEWER exec "${CARGO_TARGET_DIR:-$ROOT/target}/debug/acceptance" --optional 'obs enhanced'
