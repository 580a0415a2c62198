-- Version 6: long work, as it was last seen.

CREATE TABLE jobs (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    step       INTEGER NOT NULL,                         -- counted from 0
    started_by TEXT NOT NULL,                            -- a user name, as it was then
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    fault      TEXT,                                     -- a stable code
    file       TEXT CHECK (file IS NULL OR json_valid(file))
) STRICT;
