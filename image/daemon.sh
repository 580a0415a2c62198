#!/usr/bin/env bash
# WORK/brookboxd: the daemon for this board's processor, without its symbols. Built here, or one that was built before: DAEMON
# is its path.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

target=${CARGO_TARGET_DIR:-$ROOT/target}
build=(cargo build --release --locked --manifest-path "$ROOT/Cargo.toml" -p brookboxd)
strip="strip"
library_is_there() { [ -d "$(rustc --print target-libdir --target "$FOREIGN")" ]; }

if [ -n "$FOREIGN" ]; then
  # For another processor: Rust's library for it, and a C compiler and linker from Debian.
  library_is_there || ! command -v rustup >/dev/null || rustup target add "$FOREIGN" || true
  library_is_there || die "this Rust has no library for $FOREIGN; run: rustup target add $FOREIGN, or take Debian's Rust:" \
    "dpkg --add-architecture $ARCH && apt-get update && apt-get install rustc-web cargo-web libstd-rust-web-dev:$ARCH"
  name=${FOREIGN//-/_}
  export "CARGO_TARGET_${name^^}_LINKER=$MULTIARCH-gcc" "CC_$name=$MULTIARCH-gcc" "AR_$name=$MULTIARCH-ar"
  build+=(--target "$FOREIGN")
  target=$target/$FOREIGN
  strip=$MULTIARCH-strip
fi
[ -n "${DAEMON:-}" ] || "${build[@]}"
"$strip" -o "$WORK/brookboxd" "${DAEMON:-$target/release/brookboxd}"
echo "note: $(mb "$WORK/brookboxd")"
