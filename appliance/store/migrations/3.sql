-- Version 3: broadcasts of the past.

CREATE TABLE broadcasts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,        -- never used twice
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,                         -- when it was last known to be on air
    ended_at   INTEGER,
    legs       TEXT NOT NULL CHECK (json_valid(legs))    -- what became of it at each destination
) STRICT;
