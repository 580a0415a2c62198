# shellcheck shell=bash
# Shared by the scripts beside it: where things are, steps with their times, root without root. Sourced, never run.

# shellcheck disable=SC2034,SC2153  # used by whoever sources it, or set there

# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

IMAGE=$ROOT/image
BOARD=${BOARD:-pc}
[ -f "$IMAGE/boards/$BOARD/board.sh" ] ||
  die "there is no board $BOARD; there is: $(cd "$IMAGE/boards" && echo *)"
# shellcheck source=boards/pc/board.sh
. "$IMAGE/boards/$BOARD/board.sh"
case $ARCH in
amd64) MULTIARCH=x86_64-linux-gnu ;;
arm64) MULTIARCH=aarch64-linux-gnu ;;
esac
# Another processor's programs: Rust's name of it, where its daemon is built.
FOREIGN=''
if [ "$ARCH" != "$(dpkg --print-architecture 2>/dev/null || echo amd64)" ]; then FOREIGN=${MULTIARCH/-/-unknown-}; fi

WORK=$BUILD/image/$BOARD
CACHE=$BUILD/image/cache
OUT=$BUILD/image/out
mkdir -p "$WORK" "$CACHE" "$OUT"
export PATH=$PATH:/usr/sbin:/sbin

# The version: of the release if this commit is one, else with the number of commits, which only grows.
version() {
  local base count
  base=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
  count=$(git -C "$ROOT" rev-list --count HEAD)
  if git -C "$ROOT" describe --exact-match --tags --match "v$base" >/dev/null 2>&1; then
    printf '%s\n' "$base"
  else
    printf '%s-dev.%s\n' "$base" "$count"
  fi
}
VERSION=${VERSION:-$(version)}
NAME=brookbox-$BOARD-$VERSION
# Every time in the image is that of the commit, so that two builds are the same.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH VERSION

# uuid WHAT: the same for the same version.
uuid() {
  printf 'brookbox %s %s' "$VERSION" "$1" | sha256sum |
    sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\).*/\1-\2-4\3-8\4-\5/'
}

# step N/M NAME COMMAND...: says what is done, and how long it took.
STEP=0
step() {
  local name=$1 start rc=0
  shift
  STEP=$((STEP + 1))
  start=$(date +%s.%N)
  printf '[%2s/%s] %-34s ' "$STEP" "$STEPS" "$name"
  mkdir -p "$WORK/log"
  ("$@") >"$WORK/log/$STEP" 2>&1 </dev/null || rc=$?
  if [ "$rc" != 0 ]; then
    printf 'FAILED; the last lines of %s:\n' "$WORK/log/$STEP"
    tail -n 40 "$WORK/log/$STEP" | sed 's/^/    | /'
    exit "$rc"
  fi
  awk -v a="$start" -v b="$(date +%s.%N)" -v note="$(tail -n 1 "$WORK/log/$STEP" | sed -n 's/^note: //p')" \
    'BEGIN { printf "%6.1f s  %s\n", b - a, note }'
}

# owned COMMAND...: with all ids, as a root file system wants: as root, or in a user name space of one's own. Where it is for
# another processor, its programs run in it too.
owned() {
  if [ -n "$FOREIGN" ] && [ ! -e "/proc/sys/fs/binfmt_misc/qemu-${MULTIARCH%%-*}" ]; then
    "$IMAGE/foreign.sh" "${MULTIARCH%%-*}" "$@"
  elif [ "$(id -u)" = 0 ]; then
    "$@"
  else
    unshare --user --map-root-user --map-auto --mount --pid --fork -- "$@"
  fi
}

mb() { awk -v b="$(stat -c %s "$1")" 'BEGIN { printf "%.1f MB", b / 1e6 }'; }
