#!/usr/bin/env bash
# systemd/appliance/install.sh ROOT: what makes a root file system an appliance, beside what systemd/install.sh puts there.
# Used by every image, whatever its packages come from.
set -euo pipefail

root=$1
here=$(cd "$(dirname "$0")" && pwd)
put() { install -D -m "${3:-644}" "$here/$1" "$root/$2"; }

for unit in "$here"/units/*; do put "units/${unit##*/}" "usr/lib/systemd/system/${unit##*/}"; done
for script in "$here"/libexec/*; do
  case $script in
  */lib.sh) put libexec/lib.sh usr/lib/brookbox/lib.sh ;;
  */onlink) put libexec/onlink usr/lib/NetworkManager/dispatcher.d/50-brookbox-onlink 755 ;;
  *) put "libexec/${script##*/}" "usr/lib/brookbox/${script##*/}" 755 ;;
  esac
done
put conf/brookboxd.toml usr/share/brookbox/brookboxd.toml
put ../../image/fat/README.txt usr/share/brookbox/README.txt
put conf/brookboxd-appliance.conf usr/lib/systemd/system/brookboxd.service.d/50-appliance.conf
put conf/firewall.nft usr/lib/brookbox/firewall.nft
put conf/repart-config.conf usr/lib/brookbox/repart.d/10-config.conf
put conf/repart-data.conf usr/lib/brookbox/repart.d/20-data.conf
put conf/journald.conf usr/lib/systemd/journald.conf.d/50-brookbox.conf
put conf/system.conf usr/lib/systemd/system.conf.d/50-brookbox.conf
put conf/timesyncd.conf usr/lib/systemd/timesyncd.conf.d/50-brookbox.conf
put conf/networkmanager.conf usr/lib/NetworkManager/conf.d/50-brookbox.conf
put conf/sysctl.conf usr/lib/sysctl.d/50-brookbox.conf
put conf/tmpfiles-appliance.conf usr/lib/tmpfiles.d/brookbox-appliance.conf

install -d "$root/data" "$root/config" "$root/efi" "$root/etc/systemd/system"
printf 'brookbox\n' >"$root/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 brookbox\n' >"$root/etc/hosts"
# Written by NetworkManager; the root is read-only.
ln -sf ../run/NetworkManager/resolv.conf "$root/etc/resolv.conf"
# The initial file system puts the kept one over it.
: >"$root/etc/machine-id"
# As brookbox.toml says; without that, universal time.
ln -sfn ../run/brookbox/localtime "$root/etc/localtime"

enable=(brookboxd.service brookbox-state.service brookbox-firewall.service brookbox-health.service brookbox-screen.service
  brookbox-key.service brookbox-usb.service brookbox-settings.service brookbox-settings.path brookbox-ssh.service brookbox-hotspot.service brookbox-install.socket
  data.mount config.mount var.mount efi.automount run-brookbox-fat.automount NetworkManager.service systemd-timesyncd.service)
systemctl --root="$root" --quiet enable "${enable[@]}"
# What has no use on a read-only root with one purpose, and would cost time at every boot.
mask=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
  getty@tty1.service systemd-firstboot.service systemd-repart.service grub-common.service
  NetworkManager-wait-online.service systemd-networkd.service
  systemd-networkd-wait-online.service systemd-network-generator.service
  systemd-journal-catalog-update.service systemd-update-done.service systemd-hwdb-update.service ldconfig.service
  systemd-machine-id-commit.service systemd-random-seed.service systemd-pcrlock-make-policy.service
  systemd-ask-password-console.path systemd-ask-password-wall.path systemd-initctl.socket
  systemd-pcrextend.socket systemd-pcrlock.socket systemd-creds.socket systemd-mute-console.socket
  dev-mqueue.mount dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
  sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount
  modprobe@configfs.service modprobe@fuse.service modprobe@drm.service modprobe@efi_pstore.service
  nftables.service serial-getty@ttyS0.service autovt@.service)
systemctl --root="$root" --quiet mask "${mask[@]}" 2>/dev/null
