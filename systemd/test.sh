#!/usr/bin/env bash
# What can be told of the units and scripts without starting them: installed into a folder, read by systemd's own tools.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
passed=0 failed=0
case_() {
  local name=$1
  shift
  # Not as a condition: in one, a function goes on after what fails.
  "$@" >"$root/out" 2>&1 &
  if wait $!; then
    passed=$((passed + 1))
    printf 'ok      %s\n' "$name"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s\n%s\n' "$name" "$(cat "$root/out")"
  fi
}

# A daemon and a page of no content: only their places matter here.
mkdir -p "$root/page"
: >"$root/page/index.html"
export DESTDIR=$root/image PREFIX=/usr DAEMON=/bin/true PAGE=$root/page

install_and_remove() {
  local there=$root/plain
  DESTDIR=$there PREFIX=/usr/local "$here/install.sh" install
  grep -qx 'ExecStart=/usr/local/bin/brookboxd' "$there/usr/local/lib/systemd/system/brookboxd.service"
  [ -x "$there/usr/local/bin/brookboxd" ] && [ -f "$there/usr/local/share/brookbox/web/index.html" ]
  DESTDIR=$there PREFIX=/usr/local "$here/install.sh" uninstall
  [ -z "$(find "$there" -type f)" ]
}
as_appliance() {
  "$here/install.sh" install
  # What Debian's packages would have brought.
  for unit in NetworkManager systemd-timesyncd; do
    printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
      >"$DESTDIR/usr/lib/systemd/system/$unit.service"
  done
  "$here/appliance/install.sh" "$DESTDIR"
  [ -L "$DESTDIR/etc/systemd/system/multi-user.target.wants/brookboxd.service" ]
}
# Exposure 1.5 of 10 at most; older systemd does not know every line and says so.
exposure() { systemd-analyze security --offline=yes --threshold=15 "$here/brookboxd.service"; }
units() {
  local unit out bad=0
  for unit in "$here"/brookboxd.service "$here"/appliance/units/*; do
    # Programs and units of the image are not on this machine.
    out=$(systemd-analyze verify --man=no --recursive-errors=no "$unit" 2>&1 |
      grep -F "${unit##*/}" | grep -vE 'is not executable|Unknown key .*Restart(Steps|MaxDelaySec)|not found|Failed to (load|create)' || true)
    [ -z "$out" ] || { printf '%s\n' "$out" && bad=1; }
  done
  return $bad
}
scripts() {
  (cd "$here/appliance/libexec" && shellcheck --exclude=SC1091 --shell=sh ./*)
  # busybox' shell: 2046 and 2013 because words are wanted.
  shellcheck --exclude=SC2046,SC2013 --shell=dash "$here/../image/initramfs/init"
}
# What the daemon may hand to root's service: what it writes, and nothing that reads other files or runs anything.
handed_on() {
  local WIFI KEY other=(grep -qvEx --) connection
  eval "$(grep -E '^(WIFI|KEY)=' "$here/appliance/libexec/settings")"
  connection=$(printf '%s\n' '[connection]' id=brookbox-wifi type=wifi '' '[wifi]' mode=infrastructure 'ssid=72;195;182;' \
    hidden=false '' '[wifi-security]' key-mgmt=wpa-psk 'psk=\sback\\slash' '' '[ipv4]' method=auto)
  if "${other[@]}" "$WIFI" <<<"$connection"; then return 1; fi
  for line in '[vpn]' '[802-1x]' ca-cert=/etc/shadow type=ethernet key-mgmt=wpa-eap 'interface-name=lo' 'permissions=user:x'; do
    "${other[@]}" "$WIFI" <<<"$connection"$'\n'"$line"
  done
  if "${other[@]}" "$KEY" <<<'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbc mara@desk'; then return 1; fi
  for line in 'command="sh" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbc' 'ssh-dss AAAAC3NzaC1lZDI1NTE5AAAAIAbc' '# ssh-rsa' ''; do
    "${other[@]}" "$KEY" <<<"$line"
  done
}
firewall() {
  unshare --user --map-root-user --net true 2>/dev/null || [ "$(id -u)" = 0 ] || return 0
  unshare --map-root-user --net nft -c -f "$here/appliance/conf/firewall.nft"
}

case_ "install and uninstall" install_and_remove
case_ "install as an appliance" as_appliance
case_ "exposure of brookboxd.service is 1.5 or less" exposure
case_ "units are understood" units
case_ "scripts" scripts
case_ "only what is right is handed to root" handed_on
if command -v nft >/dev/null; then case_ "firewall rules are understood" firewall; fi
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
