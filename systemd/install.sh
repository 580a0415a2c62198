#!/usr/bin/env bash
# systemd/install.sh install|uninstall: puts the daemon, its page, manual and unit below PREFIX (/usr/local) of DESTDIR,
# or takes them away. Data and configuration are never touched. What is installed must have been built before.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
HERE=$ROOT/systemd
PREFIX=${PREFIX:-/usr/local}
DESTDIR=${DESTDIR:-}
DAEMON=${DAEMON:-${CARGO_TARGET_DIR:-$ROOT/target}/release/brookboxd}
PAGE=${PAGE:-$ROOT/web/dist}

die() {
  printf 'make: %s\n' "$*" >&2
  exit 1
}

case $PREFIX in
/usr | /usr/local) ;;
*) die "PREFIX is $PREFIX; systemd looks for units in /usr and /usr/local only" ;;
esac

bin=$DESTDIR$PREFIX/bin
page=$DESTDIR$PREFIX/share/brookbox/web
man=$DESTDIR$PREFIX/share/man/man1
lib=$DESTDIR$PREFIX/lib

# Whether this is the running system rather than a folder that becomes one.
on_this_system() { [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; }

install_files() {
  [ -x "$DAEMON" ] || die "$DAEMON is not there; run: cargo build --release -p brookboxd"
  [ -f "$PAGE/index.html" ] || die "$PAGE has no page; run: npm --prefix web ci && npm --prefix web run build"
  install -D -m 755 "$DAEMON" "$bin/brookboxd"
  rm -rf "$page"
  install -d -m 755 "$page"
  cp -R "$PAGE/." "$page/"
  chmod -R u=rwX,go=rX "$page"
  install -D -m 644 "$ROOT/appliance/brookboxd/brookboxd.1" "$man/brookboxd.1"
  install -D -m 644 "$HERE/sysusers.conf" "$lib/sysusers.d/brookbox.conf"
  install -d -m 755 "$lib/systemd/system"
  sed -e "s|^ExecStart=/usr/bin/|ExecStart=$PREFIX/bin/|" \
    -e "s|^Environment=BROOKBOX_DATA_DIR=.*|&\nEnvironment=BROOKBOX_WEB_DIR=$PREFIX/share/brookbox/web|" \
    "$HERE/brookboxd.service" >"$lib/systemd/system/brookboxd.service"
  chmod 644 "$lib/systemd/system/brookboxd.service"
}

uninstall_files() {
  rm -f "$bin/brookboxd" "$man/brookboxd.1" "$lib/sysusers.d/brookbox.conf" "$lib/systemd/system/brookboxd.service"
  rm -rf "$page"
  rmdir --ignore-fail-on-non-empty "$DESTDIR$PREFIX/share/brookbox" 2>/dev/null || true
}

case ${1:-} in
install)
  install_files
  if on_this_system; then
    systemd-sysusers
    systemctl daemon-reload
    printf '%s\n' "Installed. Start it now and at every boot: systemctl enable --now brookboxd" \
      "Then open http://THIS-MACHINE:8080; the code that it asks for from other machines is printed by:" \
      "  sudo -u brookbox $PREFIX/bin/brookboxd --data-dir /var/lib/brookbox setup-code"
  fi
  ;;
uninstall)
  if on_this_system && systemctl list-unit-files brookboxd.service >/dev/null 2>&1; then
    systemctl disable --now brookboxd.service || true
  fi
  uninstall_files
  ! on_this_system || systemctl daemon-reload
  printf '%s\n' "Removed. The data in /var/lib/brookbox and the user brookbox are left."
  ;;
*) die "usage: systemd/install.sh install|uninstall" ;;
esac
