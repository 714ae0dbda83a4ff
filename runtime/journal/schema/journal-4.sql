-- Who is to be told what, and whether that was done. Times are seconds since 1970-01-01 UTC.
CREATE TABLE notice (
    id INTEGER PRIMARY KEY,
    -- What it is about: the same is told on the same way once.
    subject TEXT NOT NULL,
    channel TEXT NOT NULL,
    environment TEXT NOT NULL,
    message TEXT NOT NULL,
    created INTEGER NOT NULL,
    -- When it is to be sent, or tried again.
    due INTEGER NOT NULL,
    -- May it be sent together with others?
    bundled INTEGER NOT NULL,
    -- From when on it is no longer tried.
    expires INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting',
    problem TEXT,
    seal TEXT NOT NULL DEFAULT '',
    UNIQUE (subject, channel)
) STRICT;

CREATE INDEX notice_waiting ON notice (due) WHERE state = 'waiting';

-- Up to which entry of the runs everything was looked at.
CREATE TABLE told (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    entry INTEGER NOT NULL,
    seal TEXT NOT NULL DEFAULT ''
) STRICT;

-- Fires of which somebody may have to be told, until that was looked at: missed, late, refused, died.
CREATE TABLE untold (
    fire INTEGER PRIMARY KEY REFERENCES fire (id) ON DELETE CASCADE
) STRICT;

-- What lists, statistics and the ledger ask for in a large run log.
CREATE INDEX run_by_outcome ON run (runbook, environment, state, id, milliseconds);
CREATE INDEX run_by_state ON run (state, id);
CREATE INDEX fire_by_time ON fire (at, id);
