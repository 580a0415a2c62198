-- Version 5: whom the box tells what happens, and named sets of destinations.

CREATE TABLE notifications (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    service     TEXT NOT NULL CHECK (service IN ('webhook', 'ntfy')),
    url         BLOB NOT NULL,                           -- sealed: with most services, who knows it may send
    token       BLOB,
    kinds       TEXT NOT NULL CHECK (json_valid(kinds)),
    language    TEXT NOT NULL,
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    allow_local INTEGER NOT NULL CHECK (allow_local IN (0, 1)),
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE profiles (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    saved_at   INTEGER NOT NULL
) STRICT;

-- What a profile keeps of each destination, sealed, since keys are part of it.
CREATE TABLE profile_rows (
    profile TEXT NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    place   INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (profile, place)
) STRICT, WITHOUT ROWID;

-- What the last switch to a profile, or the last deletion of one, can be undone with.
CREATE TABLE profile_undo (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    name    TEXT NOT NULL,
    what    TEXT NOT NULL CHECK (what IN ('switched', 'deleted')),
    profile TEXT NOT NULL,
    done_at INTEGER NOT NULL
) STRICT;

CREATE TABLE profile_undo_rows (
    place       INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    content     BLOB                                     -- sealed; NULL: there was no such destination
) STRICT;
