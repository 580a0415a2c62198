# shellcheck shell=sh
# Shared by the scripts beside it. Sourced, never run.

# shellcheck disable=SC2034  # used by those who source this
BOOT=/efi/brookbox
NOTICES=/run/brookbox/notices
FIRST_START_OVER=/config/.first-start-over

# A line for the journal and the screen.
say() { printf 'brookbox: %s\n' "$*"; }

# notice NAME SENTENCE: something the owner has to know; the page and the screen read the file. Further lines are details, for
# the page.
notice() {
  mkdir -p "$NOTICES"
  printf '%s\n' "$2" >"$NOTICES/$1"
  printf '<3>brookbox: %s\n' "$(printf '%s\n' "$2" | head -n 1)"
}

# slot: A or B, the one that runs. other SLOT: its neighbour. letter SLOT: as in the names of partitions.
slot() { cat /run/brookbox/slot; }
other() { [ "$1" = A ] && echo B || echo A; }
letter() { [ "$1" = A ] && echo a || echo b; }
last_chance() { [ -e /run/brookbox/last ]; }

# daemon COMMAND: of brookboxd, as its user, with its configuration and the credentials it has while it runs.
daemon() {
  CREDENTIALS_DIRECTORY=/run/credentials/brookboxd.service BROOKBOX_CONFIG=/config/brookbox/brookboxd.toml BROOKBOX_DATA_DIR=/data/brookbox runuser -u brookbox -- /usr/bin/brookboxd "$@"
}
