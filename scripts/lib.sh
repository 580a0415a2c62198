# shellcheck shell=bash
# Shared by the scripts beside it: words to the person, tools and packages. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build
export ROOT BUILD

say() { printf '%s\n' "$*"; }
step_line() { printf '==> %s\n' "$*"; }
die() {
  printf 'make: %s\n' "$*" >&2
  exit 1
}

# Runs a command with the rights of root.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root and there is no sudo; run as root: $*"
  fi
}

# at_least HAVE WANT: whether version HAVE is WANT or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# The packages of a list that are not installed. One package a line; `#` starts a comment.
missing_packages() {
  local name state
  while read -r name _; do
    case $name in '' | '#'*) continue ;; esac
    # shellcheck disable=SC2016  # ${...} is dpkg-query's own format
    state=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)
    [ "$state" = installed ] || printf '%s\n' "$name"
  done <"$1"
}

# need_packages LIST: installs what is missing of scripts/packages-LIST.txt.
need_packages() {
  local list=$ROOT/scripts/packages-$1.txt missing
  [ -z "${SKIP_PACKAGES:-}" ] || return 0
  command -v dpkg-query >/dev/null ||
    die "this is not Debian; install by hand what $list names, then run the scripts in it with SKIP_PACKAGES=1"
  missing=$(missing_packages "$list" | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  step_line "installing Debian packages: $missing"
  as_root apt-get -qq update || say "(the package lists could not be renewed; trying with the old ones)"
  # shellcheck disable=SC2086  # one word per package
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 install $missing </dev/null >"$BUILD/apt.log" 2>&1 || {
    tail -n 20 "$BUILD/apt.log" >&2
    die "apt-get could not install: $missing"
  }
}

# Rust, Node and a C compiler: these a person chooses, so they are named, not installed.
need_toolchains() {
  local want have sudo=
  [ "$(id -u)" = 0 ] || sudo='sudo '
  want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
  if ! command -v rustc >/dev/null || ! command -v cargo >/dev/null; then
    die "Rust $want or newer is needed; run: ${sudo}apt-get install -y curl && curl -sSf https://sh.rustup.rs | sh -s -- -y"
  fi
  have=$(rustc --version | awk '{ print $2 }')
  at_least "${have%%-*}" "$want" || die "Rust $want or newer is needed and this is $have; run: rustup update stable"
  want=20.19
  local mend='apt-get install -y nodejs npm && npm install -g node@22 npm@10'
  [ -z "$sudo" ] || mend="sudo sh -c '$mend'"
  command -v node >/dev/null || die "Node $want or newer is needed; run: $mend"
  have=$(node --version)
  at_least "${have#v}" "$want" || die "Node $want or newer is needed and this is ${have#v}; run: $mend"
  command -v npm >/dev/null || die "npm is needed beside Node; run: $mend"
  command -v cc >/dev/null || die "a C compiler is needed; run: ${sudo}apt-get install -y build-essential"
}

# fingerprint PATH...: one hash over names and contents of all files below, leaving out what builds make there.
fingerprint() {
  find "$@" \( -name node_modules -o -name dist -o -name .svelte-kit -o -name test-results -o -name schema.d.ts \) -prune -o -type f -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# unless_done STAMP KEY COMMAND...: runs the command only if it has not yet succeeded for this key.
unless_done() {
  local stamp=$BUILD/stamps/$1 key=$2
  shift 2
  [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || return 0
  "$@" || return
  mkdir -p "$BUILD/stamps"
  printf '%s\n' "$key" >"$stamp"
}

npm_ci() { npm ci --prefix "$1" --no-audit --no-fund --loglevel=error; }

# The page: npm packages as locked.
web_packages() {
  [ -d "$ROOT/web/node_modules" ] || rm -f "$BUILD/stamps/web-packages"
  unless_done web-packages "$(fingerprint "$ROOT/web/package-lock.json")-$(node --version)" npm_ci "$ROOT/web"
}

# The page, built into web/dist.
web_build() {
  web_packages
  [ -f "$ROOT/web/dist/index.html" ] || rm -f "$BUILD/stamps/web-build"
  unless_done web-build "$(fingerprint "$ROOT/web")" npm run --prefix "$ROOT/web" --silent build
}

# rustup puts its tools where a root shell often does not look.
case :$PATH: in *":$HOME/.cargo/bin:"*) ;; *) PATH=$HOME/.cargo/bin:$PATH ;; esac
# Under sudo a person's own Rust is out of sight. Told before anything is made that would belong to root.
if [ "$(id -u)" = 0 ] && [ "${SUDO_USER:-root}" != root ] && ! command -v cargo >/dev/null; then
  die "run this without sudo, as $SUDO_USER: it asks for what needs root"
fi

mkdir -p "$BUILD"
