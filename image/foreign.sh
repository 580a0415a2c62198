#!/usr/bin/env bash
# foreign.sh PROCESSOR COMMAND...: runs it in a user name space whose kernel starts programs for that processor by qemu-user.
# The machine's own list of such formats stays as it is. Wants Linux 6.7; on an older one, install qemu-user-static with
# binfmt-support, which changes the machine's.
set -euo pipefail

processor=$1
shift
# Programs of that processor by their first bytes: 64-bit ELF, little-endian, this machine number, started or linked.
case $processor in
aarch64) number='\xb7\x00' ;;
x86_64) number='\x3e\x00' ;;
*) echo "make: there is no processor $processor" >&2 && exit 1 ;;
esac
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00'$number
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
emulator=/usr/bin/qemu-$processor-static

# What happens within: waits to be root there, then adds the format.
if [ "${FOREIGN_WITHIN:-}" = 1 ]; then
  until [ "$(id -u)" = 0 ]; do sleep 0.05; done
  unset FOREIGN_WITHIN
  if ! mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null ||
    ! printf ':qemu-%s:M::%s:%s:%s:F' "$processor" "$magic" "$mask" "$emulator" >/proc/sys/fs/binfmt_misc/register; then
    echo "make: this kernel gives a user name space no formats of its own (Linux 6.7 does); run: apt-get install qemu-user-static binfmt-support" >&2
    exit 1
  fi
  exec "$@"
fi

[ -x "$emulator" ] || { echo "make: $emulator is not there; run: apt-get install qemu-user-static" >&2 && exit 1; }
export FOREIGN_WITHIN=1
if [ "$(id -u)" != 0 ]; then
  exec unshare --user --map-root-user --map-auto --mount -- "$0" "$processor" "$@"
fi
# Root may map all ids without being listed in /etc/subuid, but only from outside.
unshare --user --mount -- "$0" "$processor" "$@" &
child=$!
own=$(readlink /proc/self/ns/user)
until [ "$(readlink "/proc/$child/ns/user" 2>/dev/null || echo "$own")" != "$own" ]; do
  kill -0 "$child" 2>/dev/null || break
  sleep 0.05
done
echo '0 0 4294967295' >"/proc/$child/gid_map"
echo '0 0 4294967295' >"/proc/$child/uid_map"
wait "$child"
