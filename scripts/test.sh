#!/usr/bin/env bash
# make test: every test there is. Three lanes overlap: cargo's, the one that mostly waits (packages, the page, then
# real-time cases, which wait for frames), and the image's, which gives way to both: in it nothing depends on the time that
# it takes. What measures time runs alone at the end.
# One cargo profile (dev) for the tests and the daemon under test, the one in the image too.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
. "$(dirname "$0")/steps.sh"
cd "$ROOT" || exit 1

need_packages run
need_toolchains
steps_begin
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
FUZZ_SECONDS=${FUZZ_SECONDS:-15}

packages() {
  need_packages test
  need_packages image
  need_packages emulate
}
peers() { test_peers; }
fmt() { cargo fmt --all --check; }
build() { cargo build --locked --workspace --all-targets; }
lint() { cargo clippy --locked --workspace --all-targets -- -D warnings; }
rust_tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --no-fail-fast
  else
    cargo test --locked --workspace --no-fail-fast -- --nocapture
  fi
}
doc_tests() { cargo test --locked --workspace --doc; }
policy() { cargo deny --locked check bans licenses sources; }
scripts_lint() { git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck; }
man_lint() {
  local page out
  for page in $(git ls-files '*.[1-8]'); do
    out=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [ -z "$out" ] || {
      printf '%s\n' "$out"
      return 1
    }
    printf '%s is clean\n' "$page"
  done
}
# Each fuzz target for a short while, from its seeds.
fuzz() {
  local target failed=0
  cd "$ROOT/appliance/fuzz" || return
  # cargo-fuzz wants flags that only a nightly admits to; on the stable compiler they are asked for by this variable.
  export RUSTC_BOOTSTRAP=1
  cargo fuzz build --fuzz-dir . --sanitizer address || return
  for target in $(cargo fuzz list --fuzz-dir .); do
    printf '\n== %s for %s s\n' "$target" "$FUZZ_SECONDS"
    local corpora=("$ROOT/build/fuzz/$target")
    mkdir -p "${corpora[0]}"
    [ ! -d "seeds/$target" ] || corpora+=("seeds/$target")
    cargo fuzz run --fuzz-dir . --sanitizer address "$target" "${corpora[@]}" -- -max_total_time="$FUZZ_SECONDS" \
      -rss_limit_mb=512 -timeout=5 -max_len=65536 -print_final_stats=1 2>&1 | grep -vE '^#[0-9]+.*(NEW|REDUCE|pulse)' ||
      failed=$((failed + 1))
  done
  printf '%s passed, %s failed\n' "$(($(cargo fuzz list --fuzz-dir . | wc -l) - failed))" "$failed"
  [ "$failed" = 0 ]
}
web_check() { npm run --prefix web --silent check; }
web_unit() { npm run --prefix web --silent test; }
web_e2e() { BROOKBOXD=$TARGET/debug/brookboxd npm run --prefix web --silent e2e; }
acceptance() { "$TARGET/debug/acceptance" "$@"; }
units() { systemd/test.sh; }
# What of the other boards needs no image, and that Buildroot's configurations are what their parts say.
boards() { image/boards/raspberrypi/test.sh && buildroot/configs.sh --check && buildroot/test.sh; }
# The PC image, quick to build rather than small; and started once, with the main job inside it.
image() { DAEMON=$TARGET/debug/brookboxd SQUASHFS_LEVEL=1 nice -n 10 image/build.sh; }
image_in_qemu() { SKIP_BUILD=1 nice -n 5 image/test.sh --quick; }

# Lane 1: what compiles.
cargo_lane() {
  step format fmt
  step build build || return
  touch "$STEPS/built"
  step clippy lint
  wait_for tools-ready
  step rust-tests rust_tests
  step doc-tests doc_tests
  if [ -d appliance/fuzz ]; then
    if cargo fuzz --version >/dev/null 2>&1; then step fuzz fuzz; else skip fuzz "cargo-fuzz is not to be had here"; fi
  fi
  if cargo deny --version >/dev/null 2>&1; then
    step dependency-policy policy
  else
    skip dependency-policy "cargo-deny is not to be had here"
  fi
}

# Lane 2: what waits.
waiting_lane() {
  step packages packages
  step peers peers
  touch "$STEPS/tools-ready"
  step shellcheck scripts_lint
  step units units
  step boards boards
  step man-page man_lint
  if [ -f web/package.json ]; then
    step web-packages web_packages
    step web-check web_check
    step web-tests web_unit
    step web-build web_build
  fi
  touch "$STEPS/page-ready"
  wait_for built || return
  if [ -f web/package.json ]; then step web-in-a-browser web_e2e; fi
  step acceptance acceptance --report "$STEPS/acceptance.json"
}

# Lane 3: the image, of the daemon and the page that the others built.
image_lane() {
  wait_for built || return
  until [ -e "$STEPS/page-ready" ]; do sleep 0.5; done
  step image image && step image-in-qemu image_in_qemu
}

# Waits for a mark of the other lane; fails if that lane ended without it.
wait_for() {
  until [ -e "$STEPS/$1" ]; do
    [ ! -e "$STEPS/lane-ended" ] || [ -e "$STEPS/$1" ] || return 1
    sleep 0.5
  done
}

(
  waiting_lane
  touch "$STEPS/tools-ready" "$STEPS/page-ready"
) &
waiting=$!
image_lane &
imaging=$!
cargo_lane
touch "$STEPS/lane-ended"
wait "$waiting" "$imaging"
if [ -e "$STEPS/built" ]; then
  step acceptance-timing acceptance --timing --report "$STEPS/acceptance-timing.json"
fi
steps_end
