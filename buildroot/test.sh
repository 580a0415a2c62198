#!/usr/bin/env bash
# What fetch.sh takes and what it refuses, with releases made here: a file and not the network.
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
case_() { # NAME WANTED COMMAND...: its last line holds WANTED
  local name=$1 wanted=$2 said
  shift 2
  said=$(env -u BUILDROOT_DIR -u BUILDROOT_URL -u BUILDROOT_SHA256 BUILDROOT_CACHE="$dir/cache" "$@" 2>&1) || true
  if [[ $said == *"$wanted"* ]]; then
    passed=$((passed + 1))
    printf 'ok      %s\n' "$name"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s: %s\n' "$name" "$said"
  fi
}
release() { # VERSION: prints its hash
  mkdir -p "$dir/buildroot-$1"
  printf 'export BR2_VERSION := %s\n' "$1" >"$dir/buildroot-$1/Makefile"
  tar -C "$dir" -czf "$dir/$1.tar.gz" "buildroot-$1"
  sha256sum "$dir/$1.tar.gz" | cut -d ' ' -f 1
}
fetch=$ROOT/buildroot/fetch.sh
good=$(release 2026.02.9)
other=$(release 2025.11)

case_ "no hash: says where it is published" "with .sign at its end" "$fetch"
case_ "a hash that is none" "64 hex digits" BUILDROOT_SHA256=12ab "$fetch"
case_ "another hash: thrown away" "it was thrown away" BUILDROOT_URL="file://$dir/2026.02.9.tar.gz" BUILDROOT_SHA256="${good//[0-7]/a}" "$fetch"
case_ "another series" "is no Buildroot 2026.02 (found: 2025.11)" BUILDROOT_URL="file://$dir/2025.11.tar.gz" BUILDROOT_SHA256="$other" "$fetch"
case_ "neither https nor a file" "cannot be fetched" BUILDROOT_URL="http://127.0.0.1:9/x.tar.gz" BUILDROOT_SHA256="$good" "$fetch"
case_ "what is not there" "cannot be fetched" BUILDROOT_URL="file://$dir/gone.tar.gz" BUILDROOT_SHA256="$good" "$fetch"
case_ "the right one" "$dir/cache/buildroot-$good" BUILDROOT_URL="file://$dir/2026.02.9.tar.gz" BUILDROOT_SHA256="$good" "$fetch"
rm "$dir/2026.02.9.tar.gz"
case_ "it is fetched once" "$dir/cache/buildroot-$good" BUILDROOT_URL="file://$dir/2026.02.9.tar.gz" BUILDROOT_SHA256="$good" "$fetch"
case_ "one at hand" "$dir/buildroot-2026.02.9" BUILDROOT_DIR="$dir/buildroot-2026.02.9" "$fetch"
case_ "one at hand of another series" "is no Buildroot 2026.02" BUILDROOT_DIR="$dir/buildroot-2025.11" "$fetch"
[ -z "$(find "$dir/cache" -name '*.new' -o -name download)" ] || { printf 'FAILED  something unfinished stays\n' && failed=$((failed + 1)); }
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
