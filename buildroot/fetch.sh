#!/usr/bin/env bash
# fetch.sh: prints the folder of a Buildroot of the series that this tree is for, and gets it if it is not there.
#   BUILDROOT_DIR     one that is at hand: unpacked, and trusted as it is
#   BUILDROOT_URL     else where its release lies (https://, or file:// for one that was carried here)
#   BUILDROOT_SHA256  its hash, which is asked for before anything is fetched: what is unpacked is what was published
#   BUILDROOT_CACHE   where it is unpacked: build/buildroot
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"

SERIES=2026.02
RELEASE=2026.02.3
BUILDROOT_URL=${BUILDROOT_URL:-https://buildroot.org/downloads/buildroot-$RELEASE.tar.xz}

# version FOLDER: which Buildroot it is; nothing where there is none.
version() { sed -n 's/^export BR2_VERSION := \([0-9][0-9.]*\)$/\1/p' "$1/Makefile" 2>/dev/null || true; }
is_of_series() { case $(version "$1") in "$SERIES" | "$SERIES".*) true ;; *) false ;; esac; }

if [ -n "${BUILDROOT_DIR:-}" ]; then
  is_of_series "$BUILDROOT_DIR" || die "BUILDROOT_DIR=$BUILDROOT_DIR is no Buildroot $SERIES (found: $(version "$BUILDROOT_DIR"))"
  realpath "$BUILDROOT_DIR"
  exit 0
fi

[[ ${BUILDROOT_SHA256:-} =~ ^[0-9a-f]{64}$ ]] || die "BUILDROOT_SHA256 has to be the SHA-256 of $BUILDROOT_URL, in 64 hex digits.
  Upstream publishes it, signed by its maintainers, beside each release: the same address with .sign at its end.
  Or unpack a Buildroot $SERIES yourself and name its folder: BUILDROOT_DIR=…"

cache=${BUILDROOT_CACHE:-$BUILD/buildroot}
into=$cache/buildroot-$BUILDROOT_SHA256
if ! is_of_series "$into"; then
  mkdir -p "$cache"
  file=$cache/download
  trap 'rm -rf "$file" "$into.new"' EXIT
  rm -rf "$file" "$into.new"
  # Nothing but these two ways, also after a redirect.
  curl --fail --silent --show-error --location --proto '=https,file' --max-filesize 100000000 -o "$file" "$BUILDROOT_URL" >&2 ||
    die "$BUILDROOT_URL cannot be fetched"
  found=$(sha256sum "$file" | cut -d ' ' -f 1)
  if [ "$found" != "$BUILDROOT_SHA256" ]; then
    die "$BUILDROOT_URL has the hash $found and not $BUILDROOT_SHA256; it was thrown away"
  fi
  mkdir "$into.new"
  tar -xf "$file" --strip-components=1 --no-same-owner -C "$into.new"
  is_of_series "$into.new" || die "$BUILDROOT_URL is no Buildroot $SERIES (found: $(version "$into.new"))"
  rm -rf "$into"
  mv "$into.new" "$into"
fi
printf '%s\n' "$into"
