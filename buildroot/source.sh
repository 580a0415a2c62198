#!/usr/bin/env bash
# Fills build/buildroot/source for the package brookboxd: the files of the commit that is checked out, the crates of Cargo.lock
# and the built page. After it nothing of the daemon is downloaded any more.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"

into=$BUILD/buildroot/source
need_toolchains
web_build
rm -rf "$into.new"
mkdir -p "$into.new"
git -C "$ROOT" archive HEAD | tar -x -C "$into.new"
mkdir -p "$into.new/web/dist" "$into.new/.cargo"
cp -R "$ROOT/web/dist/." "$into.new/web/dist/"
(cd "$into.new" && cargo vendor --quiet --locked VENDOR >.cargo/config.toml)
git -C "$ROOT" rev-parse HEAD >"$into.new/VERSION"
rm -rf "$into"
mv "$into.new" "$into"
say "$into: $(cat "$into/VERSION"), $(find "$into/VENDOR" -mindepth 1 -maxdepth 1 | wc -l) crates"
