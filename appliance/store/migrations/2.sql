-- Version 2: links by which people without an account watch one input.

CREATE TABLE watch_links (
    hash       BLOB PRIMARY KEY CHECK (length(hash) = 32),
    id         TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    input      TEXT NOT NULL REFERENCES inputs (id) ON DELETE CASCADE,
    viewers    INTEGER NOT NULL,
    made_by    TEXT NOT NULL,                            -- a user name, as it was then
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
