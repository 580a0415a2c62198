#!/usr/bin/env bash
# make run: installs what is missing, builds, starts brookboxd as an ordinary process, prints where to stream to.
# BROOKBOX_HTTP, BROOKBOX_RTMP and BROOKBOX_DATA_DIR are passed on; safe to repeat.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_packages run
need_toolchains

step_line "building the page"
web_build
step_line "building brookboxd"
cargo build --release --locked --manifest-path "$ROOT/Cargo.toml" -p brookboxd
DAEMON=${CARGO_TARGET_DIR:-$ROOT/target}/release/brookboxd

export BROOKBOX_WEB_DIR=${BROOKBOX_WEB_DIR:-$ROOT/web/dist}
OUT=$(mktemp -d)
pid=
# shellcheck disable=SC2317  # called by the traps
finish() {
  trap - EXIT INT TERM
  local rc=$1
  if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
    say
    say "stopping (destinations get a proper end of stream) …"
    kill -TERM "$pid"
    wait "$pid" && rc=0 || rc=$?
  fi
  rm -rf "$OUT"
  exit "$rc"
}
trap 'finish $?' EXIT
trap 'finish 0' INT TERM

step_line "starting brookboxd"
mkfifo "$OUT/ready"
"$DAEMON" >"$OUT/ready" &
pid=$!
# The daemon says one line when it is ready; the end of the pipe before that means that it ended.
read -r ready <"$OUT/ready" || {
  rc=0
  wait "$pid" || rc=$?
  pid=
  say "brookboxd did not start; what it said is above." >&2
  exit "$rc"
}

listener() { tr ' ' '\n' <<<"$ready" | sed -n "s/^$1=//p"; }
http=$(listener http)
rtmp=$(listener rtmp)
# An address that listens everywhere is reached at this machine's own name and addresses.
reachable() {
  local port=${1##*:} host=${1%:*}
  case $host in
  0.0.0.0 | '[::]') printf '%s\n' "127.0.0.1:$port" && for a in $(hostname -I 2>/dev/null); do
    case $a in *:*) ;; *) printf '%s\n' "$a:$port" ;; esac
  done ;;
  *) printf '%s\n' "$1" ;;
  esac
}
say
say "  Brookbox is running."
say
first="  page          "
while read -r a; do
  say "$first http://$a"
  first="                "
done < <(reachable "$http")
first="  RTMP server   "
while read -r a; do
  say "$first rtmp://$a/live"
  first="                "
done < <(reachable "$rtmp")
say "  stream key     $("$DAEMON" show-key)"
code=$("$DAEMON" setup-code 2>/dev/null || true)
if [ -n "$code" ]; then
  say
  say "  Nobody owns this box yet: open the page to set it up. From another machine it asks for the code"
  say "  $code"
fi
command=("$DAEMON" ${BROOKBOX_CONFIG:+--config "$BROOKBOX_CONFIG"} ${BROOKBOX_DATA_DIR:+--data-dir "$BROOKBOX_DATA_DIR"})
say
say "  A lost password is replaced by"
say "  $(printf '%q ' "${command[@]}")reset-password"
say
say "  Ctrl-C stops it."
say
rc=0
wait "$pid" || rc=$?
pid=
exit "$rc"
