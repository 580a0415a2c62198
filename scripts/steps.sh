# shellcheck shell=bash
# A small runner of steps: each has a log and a time; lanes of steps overlap; a table ends it. Sourced, never run.

STEPS=$BUILD/test
steps_begin() {
  rm -rf "$STEPS"
  mkdir -p "$STEPS"
  STEPS_START=$(date +%s.%N)
  : >"$STEPS/order"
}

since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }'; }

# step NAME COMMAND...: runs it, keeps what it says in a log, notes time and result. Never ends the script.
step() {
  local name=$1 start rc=0
  shift
  start=$(date +%s.%N)
  printf '%s\n' "$name" >>"$STEPS/order"
  printf '%8s s  %-28s …\n' "$(since "$STEPS_START")" "$name"
  ("$@") >"$STEPS/$name.log" 2>&1 </dev/null || rc=$?
  printf '%s %s %s\n' "$rc" "$(since "$start")" "$(count_tests "$name" "$rc")" >"$STEPS/$name.result"
  if [ "$rc" = 0 ]; then
    printf '%8s s  %-28s ok, %s s\n' "$(since "$STEPS_START")" "$name" "$(since "$start")"
  else
    printf '%8s s  %-28s FAILED (%s), %s s; last lines of %s:\n' "$(since "$STEPS_START")" "$name" "$rc" \
      "$(since "$start")" "$STEPS/$name.log"
    tail -n "${STEP_TAIL:-60}" "$STEPS/$name.log" | sed 's/^/    | /'
  fi
  return "$rc"
}

# skip NAME WHY: a step that is not run, said plainly.
skip() {
  printf '%s\n' "$1" >>"$STEPS/order"
  printf 'skip 0.0 0 0 1 %s\n' "$2" >"$STEPS/$1.result"
  printf '%8s s  %-28s skipped: %s\n' "$(since "$STEPS_START")" "$1" "$2"
}

# Tests passed and failed in a step, from what its runner said last; a step without a runner counts as one.
count_tests() {
  sed 's/\x1b\[[0-9;]*m//g' "$STEPS/$1.log" | awk -v rc="$2" '
    # cargo-nextest, one line a run
    /^ *Summary \[/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1); if ($i ~ /^skipped/) s += $(i-1) } }
    # cargo test, one line a binary
    /^test result:/ { for (i = 2; i <= NF; i++) { if ($i == "passed;") p += $(i-1); if ($i == "failed;") f += $(i-1); if ($i == "ignored;") s += $(i-1) } }
    # vitest
    /^ *Tests +[0-9]/ { for (i = 2; i <= NF; i++) { if ($i == "passed") p += $(i-1); if ($i == "failed") f += $(i-1); if ($i == "skipped") s += $(i-1) } }
    # our own
    /^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3; if ($6 ~ /^skipped/) s += $5 }
    END {
      if (p + f == 0) { if (rc == 0) p = 1; else f = 1 }
      if (rc != 0 && f == 0) f = 1
      print p + 0, f + 0, s + 0
    }'
}

# What a failed step's runner named at its end, since often only the last lines of a run are at hand.
what_failed() {
  local named
  # Our own suite, cargo-nextest, cargo test, vitest.
  named=$(sed 's/\x1b\[[0-9;]*m//g' "$STEPS/$1.log" 2>/dev/null |
    grep -E '^failed: |^ *(FAIL|SIGABRT|TIMEOUT) |^test .* FAILED$' | sort -u | head -n 12 | cut -c 1-400)
  printf '%s:\n%s\n' "$1" "${named:-$(tail -n 8 "$STEPS/$1.log" 2>/dev/null | cut -c 1-400)}" | sed '2,$s/^/    /'
}

# The table, and what it comes to. Fails if anything failed or nothing ran.
steps_end() {
  local name rc secs p f s why passed=0 failed=0 skipped=0 bad=0
  printf '\n%-30s %9s  %7s %7s  %s\n' step seconds passed failed result
  while read -r name; do
    [ -f "$STEPS/$name.result" ] || printf '1 0.0 0 1 0\n' >"$STEPS/$name.result"
    read -r rc secs p f s why <"$STEPS/$name.result"
    case $rc in
    0) result=ok ;;
    skip) result="skipped: $why" ;;
    *)
      result="FAILED, see $STEPS/$name.log"
      bad=1
      ;;
    esac
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-30s %9s  %7s %7s  %s\n' "$name" "$secs" "$p" "$f" "$result"
  done <"$STEPS/order"
  printf '%-30s %9s  (steps overlap)\n\n' 'from start to end' "$(since "$STEPS_START")"
  while read -r name; do
    read -r rc _ <"$STEPS/$name.result"
    case $rc in 0 | skip) ;; *) what_failed "$name" ;; esac
  done <"$STEPS/order"
  if [ "$skipped" = 0 ]; then
    printf '%s passed, %s failed\n' "$passed" "$failed" | tee "$STEPS/summary"
  else
    printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped" | tee "$STEPS/summary"
  fi
  [ "$bad" = 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
