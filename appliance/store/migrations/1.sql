-- Version 1. Never edited once released: what changes is a file of its own, 2.sql and so on.
-- Times are ms since 1970 UTC. A column that holds a ciphertext is a BLOB named after the secret.

CREATE TABLE vault (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    probe BLOB NOT NULL                                  -- a known text, sealed: tells a wrong machine key at once
) STRICT;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;

CREATE TABLE broadcast (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;

CREATE TABLE inputs (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    key          BLOB NOT NULL,
    enabled      INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    protocols    TEXT NOT NULL CHECK (json_valid(protocols)),
    bitrate_bps  INTEGER NOT NULL,
    sessions     INTEGER NOT NULL,
    allow_public INTEGER NOT NULL CHECK (allow_public IN (0, 1)),
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE destinations (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    platform    TEXT NOT NULL,
    url         TEXT,
    backup_url  TEXT,
    key         BLOB NOT NULL,
    output      TEXT NOT NULL,
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    start_mode  TEXT NOT NULL CHECK (start_mode IN ('withStream', 'manual')),
    retry_for_s INTEGER,
    username    TEXT,
    password    BLOB,
    allow_local INTEGER NOT NULL CHECK (allow_local IN (0, 1)),
    position    INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    username      TEXT NOT NULL,
    folded        TEXT NOT NULL UNIQUE,                  -- the username in lower case: Mara and mara are one person
    role          TEXT NOT NULL CHECK (role IN ('owner', 'operator', 'viewer')),
    password_hash TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    last_seen     INTEGER
) STRICT;

CREATE TABLE sign_ins (
    hash                BLOB PRIMARY KEY CHECK (length(hash) = 32),
    id                  TEXT NOT NULL UNIQUE,
    user_id             TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at          INTEGER NOT NULL,
    last_used           INTEGER NOT NULL,
    password_entered_at INTEGER NOT NULL,
    address             TEXT NOT NULL,
    user_agent          TEXT
) STRICT;
CREATE INDEX sign_ins_by_user ON sign_ins (user_id);

CREATE TABLE tokens (
    hash       BLOB PRIMARY KEY CHECK (length(hash) = 32),
    id         TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    scopes     TEXT NOT NULL CHECK (json_valid(scopes)),
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used  INTEGER
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id);

CREATE TABLE events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,       -- never used twice, also when the newest row was deleted
    time        INTEGER NOT NULL,
    code        TEXT NOT NULL,
    severity    TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    input       TEXT,
    destination TEXT,
    params      TEXT NOT NULL CHECK (json_valid(params)),
    sentence    TEXT NOT NULL
) STRICT;
