# shellcheck shell=bash
# Servers and tools for tests and benches, all under build/peers and build/venv. Sourced, never run.
#
# nginx and stunnel are unpacked from Debian's packages, not installed: installing them would put services on this
# machine that start by themselves, and a test has no business with the machine's services.

PEERS=$BUILD/peers
export PATH=$BUILD/venv/bin:$PATH

unpack_debs() {
  local deb
  rm -rf "$PEERS/debs" "$PEERS/root"
  mkdir -p "$PEERS/debs" "$PEERS/root"
  (cd "$PEERS/debs" && apt-get -qq -o APT::Sandbox::User=root download "$@") || {
    as_root apt-get -qq update
    (cd "$PEERS/debs" && apt-get -qq -o APT::Sandbox::User=root download "$@")
  }
  for deb in "$PEERS"/debs/*.deb; do dpkg-deb -x "$deb" "$PEERS/root"; done
  [ -x "$PEERS/root/usr/sbin/nginx" ]
}

# nginx with its RTMP module, and stunnel.
peer_debs() {
  local debs=(nginx libnginx-mod-rtmp stunnel4)
  [ -x "$PEERS/root/usr/bin/stunnel4" ] || rm -f "$BUILD/stamps/debs"
  unless_done debs "${debs[*]} $(dpkg --print-architecture)" unpack_debs "${debs[@]}"
}

make_venv() {
  rm -rf "$BUILD/venv"
  python3 -m venv "$BUILD/venv"
  "$BUILD/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
    -r "$ROOT/hw-tests/peers/requirements.txt"
  # FFmpeg 9 under a name of its own.
  ln -sf "$("$BUILD/venv/bin/python" -c 'import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())')" "$BUILD/venv/bin/ffmpeg9"
}

# FFmpeg 9 and cargo's helpers.
peer_venv() {
  [ -x "$BUILD/venv/bin/ffmpeg9" ] || rm -f "$BUILD/stamps/venv"
  unless_done venv "$(fingerprint "$ROOT/hw-tests/peers/requirements.txt") $ROOT" make_venv
}

# node-media-server.
peer_node() {
  [ -d "$ROOT/hw-tests/peers/node_modules" ] || rm -f "$BUILD/stamps/peers-node"
  unless_done peers-node "$(fingerprint "$ROOT/hw-tests/peers/package-lock.json")" npm_ci "$ROOT/hw-tests/peers"
}

# Everything the acceptance suite needs.
test_peers() {
  peer_debs
  peer_venv
  peer_node
}
