#!/usr/bin/env bash
# The Raspberry Pi's boot backend against the documented rules of its firmware (autoboot.txt, tryboot), without a Raspberry Pi:
# `firmware` below reads the same files as the real one and says which partition it would start; the rest is real: the
# partitions are FAT images, the state is written by grub-editenv.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
backend=$here/root/usr/lib/brookbox/tryboot
export PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BROOKBOX_BOOT=$work/front/brookbox BROOKBOX_PARTS=$work/parts BROOKBOX_RUN=$work/run BROOKBOX_MAILBOX=$work/vcio
autoboot=$work/front/autoboot.txt
passed=0 failed=0

tryboot() { sh "$backend" "$@"; }
state() { grub-editenv "$BROOKBOX_BOOT/grubenv" list; }

# A freshly flashed card: A is filled and B is not.
flashed() {
  rm -rf "$work"/{front,parts,run,vcio}
  mkdir -p "$BROOKBOX_BOOT" "$BROOKBOX_PARTS" "$BROOKBOX_RUN/brookbox"
  cp "$here/autoboot.txt" "$autoboot"
  grub-editenv "$BROOKBOX_BOOT/grubenv" create
  grub-editenv "$BROOKBOX_BOOT/grubenv" set ORDER='A B' A_OK=1 A_TRY=0 B_OK=0 B_TRY=0
  cp "$BROOKBOX_BOOT/grubenv" "$BROOKBOX_BOOT/grubenv.2"
  fill a
  truncate -s 8M "$BROOKBOX_PARTS/boot-b"
}
fill() { # a|b: as fat.sh makes it
  truncate -s 40M "$BROOKBOX_PARTS/boot-$1"
  mkfs.vfat --invariant -F 32 -s 1 "$BROOKBOX_PARTS/boot-$1" >/dev/null
  mcopy -i "$BROOKBOX_PARTS/boot-$1" "$here/config.txt" ::kernel8.img
}

# firmware [tryboot]: which partition it starts. The rules: at most 512 bytes; [all] holds for every start, [tryboot] only
# for one that was asked for; a later line wins; without tryboot_a_b=1 that flag is about files and not about partitions.
firmware() {
  [ "$(stat -c %s "$autoboot")" -le 512 ] || { echo "autoboot.txt is longer than 512 bytes" && return 1; }
  awk -F= -v flag="${1:-}" '
    /^\[/ { section = $0 }
    section == "[all]" || section == "" || (section == "[tryboot]" && flag == "tryboot" && ab) {
      if ($1 == "boot_partition") part = $2
      if ($1 == "tryboot_a_b") ab = $2 == 1
    }
    END { print part }' "$autoboot"
}
# boot [tryboot]: one start as far as the initial file system; says which version runs, and what was answered.
boot() {
  local slot answer
  rm -rf "$BROOKBOX_RUN"
  mkdir -p "$BROOKBOX_RUN/brookbox"
  case $(firmware "${1:-}") in
  2) slot=A ;;
  3) slot=B ;;
  *) echo "nothing is started" && return ;;
  esac
  answer=$(tryboot start "$slot")
  echo "$slot" >"$BROOKBOX_RUN/brookbox/slot"
  echo "$slot $answer"
}
# What a restart is asked for: by systemd, with what the backend left for it.
restart() {
  local flag=
  [ "$(cat "$BROOKBOX_RUN/systemd/reboot-param" 2>/dev/null)" != '0 tryboot' ] || flag=tryboot
  boot $flag
}
installed() { # what RAUC does with an update for B
  tryboot set-state B bad
  fill b
  tryboot set-primary B
}

is() { # WHAT HAVE WANT
  [ "$2" = "$3" ] || { printf '    %s: %s, and should be %s\n' "$1" "$2" "$3" && return 1; }
}
case_() {
  local out
  flashed
  if out=$(set -e; "$2" 2>&1); then
    passed=$((passed + 1))
    printf 'ok      %s\n' "$1"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s\n%s\n' "$1" "$out"
  fi
}

first_start() {
  is start "$(boot)" 'A go' || return
  is primary "$(tryboot get-primary)" A || return
  is current "$(tryboot get-current)" A || return
  is 'tries before it works' "$(state | sed -n s/^A_TRY=//p)" 1 || return
  tryboot set-state A good || return
  is 'tries after' "$(state | sed -n s/^A_TRY=//p)" 0 || return
  is 'the empty one' "$(tryboot get-state B)" bad
}
never_to_an_empty_one() {
  for _ in 1 2 3; do is start "$(boot)" 'A go' || return; done
  is 'all tries used' "$(boot)" 'A last' || return
  is 'from the beginning' "$(boot)" 'A go' || return
  ! tryboot set-primary B
}
three_tries_go_back() {
  boot >/dev/null && installed || return
  is primary "$(tryboot get-primary)" B || return
  for _ in 1 2 3; do is start "$(restart)" 'B go' || return; done
  is 'the fourth' "$(restart)" 'B switch' || return
  is after "$(restart)" 'A go' || return
  tryboot set-state A good || return
  is 'and stays' "$(restart)" 'A go' || return
  is 'the failed one' "$(tryboot get-state B)" bad
}
new_one_works() {
  boot >/dev/null && installed || return
  is start "$(restart)" 'B go' || return
  tryboot set-state B good || return
  is later "$(boot)" 'B go' || return
  is 'the one before' "$(tryboot get-state A)" good
}
tryboot_once() {
  touch "$BROOKBOX_MAILBOX"
  boot >/dev/null && installed || return
  is 'what the next restart starts' "$(tryboot get-primary)" B || return
  is 'without having worked, a power cut starts' "$(firmware)" 2 || return
  is trial "$(restart)" 'B go' || return
  is 'it hangs, and the watchdog starts' "$(boot)" 'A go'
}
tryboot_kept() {
  touch "$BROOKBOX_MAILBOX"
  boot >/dev/null && installed || return
  is trial "$(restart)" 'B go' || return
  tryboot set-state B good || return
  is 'from then on' "$(boot)" 'B go' || return
  is 'the other is what tryboot starts' "$(firmware tryboot)" 2
}
tryboot_called_off() {
  touch "$BROOKBOX_MAILBOX"
  boot >/dev/null && installed || return
  tryboot set-primary A || return
  is restart "$(restart)" 'A go'
}
garbage_state() {
  head -c 1024 /dev/urandom >"$BROOKBOX_BOOT/grubenv"
  is 'from its copy' "$(boot)" 'A go' || return
  is order "$(state | sed -n s/^ORDER=//p)" 'A B' || return
  rm -rf "$BROOKBOX_BOOT"
  is 'made anew' "$(boot)" 'A go' || return
  is tries "$(state | sed -n s/^A_TRY=//p)" 1 || return
  printf 'A_TRY=nonsense\n' | head -c 1024 >"$BROOKBOX_BOOT/grubenv"
  is 'not a state at all' "$(boot)" 'A go'
}
garbage_autoboot() {
  boot >/dev/null || return
  printf 'nonsense' >"$autoboot"
  is primary "$(tryboot get-primary || true)" '' || return
  tryboot set-state A good || return
  is start "$(firmware)" 2
}
one_sector() {
  boot >/dev/null && installed || return
  is size "$(stat -c %s "$autoboot")" 512 || return
  before=$(stat -c %i "$autoboot")
  tryboot set-state B bad && tryboot set-primary B || return
  is 'written in place' "$(stat -c %i "$autoboot")" "$before" || return
  rm "$autoboot"
  tryboot set-primary B || return
  is 'made anew' "$(firmware)" 3
}
wrong_words() {
  for words in '' 'get-state C' 'set-state A fine' 'set-primary' 'start'; do
    # shellcheck disable=SC2086  # words
    if tryboot $words 2>/dev/null; then echo "    taken: $words" && return 1; fi
  done
}

both_tables() {
  local disk=$work/disk.img entries grown
  rm -f "$disk"
  truncate -s 64M "$disk"
  sfdisk --quiet "$disk" <<<$'label: gpt\nsize=8M, name=BROOKBOX\nsize=16M, name=boot-a\nsize=16M, name=boot-b\nsize=4M, name=data' || return
  "$here/../../hybrid.py" "$disk" || return
  # Kind, start and length of the four entries of the old table.
  entries=$(
    kinds=$(od -A n -v -t x1 -w16 -j 446 -N 64 "$disk" | awk '{ print $5 }')
    spans=$(tail -c +447 "$disk" | head -c 64 | od -A n -v -t u4 -w16 | awk '{ print $3, $4 }')
    paste -d ' ' <(echo "$kinds") <(echo "$spans") | paste -sd ' '
  )
  is 'old table' "$entries" '0c 2048 16384 0c 18432 32768 0c 51200 32768 ee 1 2047' || return
  is 'still a GPT' "$(sfdisk --dump "$disk" 2>/dev/null | sed -n 's/^label: //p')" gpt || return
  # The box lets its last partition grow.
  truncate -s 96M "$disk"
  printf ',+\n' | sfdisk --quiet --no-reread -N 4 "$disk" 2>/dev/null || return
  grown=$(od -A n -v -t x1 -j 446 -N 66 "$disk" | tr -d ' \n')
  is 'size after growing' "$(sfdisk --dump "$disk" 2>/dev/null | sed -n 's/.*size= *\([0-9]*\),.*name="data"/\1/p')" 112607 || return
  is 'old table after growing' "${grown:8:2}${grown:40:2}${grown:72:2}${grown:104:2}${grown:128:4}" 0c0c0cee55aa
}
clean() { shellcheck --shell=sh "$backend"; }

case_ "a first start, and that it works" first_start
case_ "an empty version is never started" never_to_an_empty_one
case_ "without tryboot, three failed tries go back" three_tries_go_back
case_ "without tryboot, a new version that works stays" new_one_works
case_ "with tryboot, a new version is started once" tryboot_once
case_ "with tryboot, a new version that works stays" tryboot_kept
case_ "with tryboot, an update is called off" tryboot_called_off
case_ "a boot state that cannot be read" garbage_state
case_ "an autoboot.txt that cannot be read" garbage_autoboot
case_ "autoboot.txt is one sector, written in place" one_sector
case_ "words that it does not know" wrong_words
case_ "both partition tables name the first partitions" both_tables
case_ "the script is clean" clean
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
