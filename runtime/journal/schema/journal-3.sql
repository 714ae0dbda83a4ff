-- Schedules, and one row for every fire that was expected of them. Times are seconds since 1970-01-01 UTC.
CREATE TABLE schedule (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    -- Every fire up to here has its row.
    accounted INTEGER NOT NULL,
    paused_by TEXT,
    paused_at INTEGER,
    seal TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE fire (
    id INTEGER PRIMARY KEY,
    schedule TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- Asked for by a person, besides what was expected.
    manual INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL,
    late INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    reason TEXT,
    result TEXT,
    attempt INTEGER NOT NULL DEFAULT 1,
    resumes INTEGER NOT NULL DEFAULT 0,
    ticket TEXT NOT NULL DEFAULT '',
    -- The newest of its runs, and all of them in order.
    run INTEGER REFERENCES run (id),
    runs TEXT NOT NULL DEFAULT '[]',
    note TEXT,
    seal TEXT NOT NULL DEFAULT '',
    UNIQUE (schedule, at, manual)
) STRICT;

CREATE INDEX fire_open ON fire (state) WHERE state IN ('due', 'starting', 'running');
CREATE INDEX fire_by_run ON fire (run);

-- What the clocks showed when the ledger was last written: how a clock that was set is told from time that passed.
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    wall INTEGER NOT NULL,
    up INTEGER NOT NULL,
    boot TEXT NOT NULL,
    seal TEXT NOT NULL DEFAULT ''
) STRICT;
