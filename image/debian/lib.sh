# shellcheck shell=bash
# Debian's archive as this machine's apt knows it. Sourced after image/lib.sh, never run.

APT=$CACHE/apt-${KERNEL_SUITE:-$SUITE}-$ARCH
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirrors that this machine's own apt uses: of the release, and of its security updates.
# shellcheck disable=SC2016  # $(...) is apt's own format
targets() { apt-get indextargets --format '$(SITE) $(RELEASE) $(ORIGIN) $(LABEL)' 'Created-By: Packages' 2>/dev/null; }
mirror() { targets | awk '$3 == "Debian" && $4 == "Debian" { print $1; exit }'; }
security_mirror() { targets | awk '$3 == "Debian" && $4 == "Debian-Security" { print $1; exit }'; }

sources() {
  local site
  site=$(mirror)
  [ -n "$site" ] || die "this machine's apt knows no Debian mirror; add one to /etc/apt and run apt-get update"
  printf 'deb [signed-by=%s] %s %s main non-free-firmware\n' "$KEYRING" "$site" "$SUITE"
  printf 'deb [signed-by=%s] %s %s-updates main non-free-firmware\n' "$KEYRING" "$site" "$SUITE"
  [ -z "${KERNEL_SUITE:-}" ] || printf 'deb [signed-by=%s] %s %s main non-free-firmware\n' "$KEYRING" "$site" "$KERNEL_SUITE"
  site=$(security_mirror)
  [ -z "$site" ] || printf 'deb [signed-by=%s] %s %s-security main non-free-firmware\n' "$KEYRING" "$site" "$SUITE"
}

# apt COMMAND...: on lists of its own, without this machine's packages.
archive() {
  local tool=$1
  shift
  "$tool" -o APT::Architecture="$ARCH" -o APT::Architectures="$ARCH" -o Dir::Etc::sourcelist="$APT/sources.list" \
    -o Dir::Etc::sourceparts=/dev/null -o Dir::State="$APT" -o Dir::State::status=/dev/null -o Dir::Cache="$APT" \
    -o APT::Sandbox::User=root -o APT::Get::List-Cleanup=0 -o Acquire::Languages=none \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

archive_update() {
  mkdir -p "$APT/lists/partial" "$APT/archives/partial"
  sources >"$APT/sources.list"
  archive apt-get -q update
}

# What the archive holds now, in one hash: all of it, or these suites.
archive_state() {
  local suite
  [ $# -gt 0 ] || set -- '*'
  for suite in "$@"; do
    # shellcheck disable=SC2086  # a pattern
    cat "$APT"/lists/*_dists_${suite}_InRelease 2>/dev/null || true
  done | sha256sum | cut -c 1-16
}

# The packages of a list file.
listed() { sed 's/#.*//; /^[[:space:]]*$/d' "$1"; }
