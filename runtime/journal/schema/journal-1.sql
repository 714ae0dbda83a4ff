-- One row per migration: which format the file has, and which runbook brought it there.
CREATE TABLE format (
    version INTEGER PRIMARY KEY,
    runbook TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

-- Texts of scripts and modules, each kept once however many runs used it.
CREATE TABLE text (
    hash TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;

-- Times are microseconds since 1970-01-01 UTC. AUTOINCREMENT: a run's number is never given out twice.
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    runbook TEXT NOT NULL,
    title TEXT NOT NULL,
    environment TEXT NOT NULL,
    environment_values TEXT NOT NULL,
    parameters TEXT NOT NULL,
    project_root TEXT NOT NULL,
    revision TEXT,
    started_by TEXT NOT NULL,
    from_run INTEGER REFERENCES run (id),
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    milliseconds INTEGER,
    undo_blocks INTEGER,
    failure TEXT,
    trace TEXT NOT NULL DEFAULT '[]',
    result TEXT NOT NULL DEFAULT 'null',
    machine TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started INTEGER,
    boot_id TEXT
) STRICT;

CREATE INDEX run_by_runbook ON run (runbook, id);
CREATE INDEX run_by_environment ON run (environment, id);
CREATE INDEX run_by_start ON run (started_at);
CREATE INDEX run_running ON run (id) WHERE state = 'running';

-- The texts a run executes; position 0 is the runbook itself.
CREATE TABLE source (
    run INTEGER NOT NULL REFERENCES run (id),
    position INTEGER NOT NULL,
    path TEXT NOT NULL,
    hash TEXT NOT NULL REFERENCES text (hash),
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

-- Ids grow in the order in which calls started.
CREATE TABLE call (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    effect TEXT NOT NULL,
    arguments TEXT NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    column INTEGER NOT NULL,
    state TEXT NOT NULL,
    result TEXT NOT NULL DEFAULT 'null',
    changed INTEGER,
    note TEXT,
    failure TEXT,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    milliseconds INTEGER,
    UNIQUE (run, path)
) STRICT;

CREATE TABLE release (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    number INTEGER NOT NULL,
    run INTEGER NOT NULL REFERENCES run (id),
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (project, environment, number)
) STRICT;

CREATE INDEX release_pending ON release (run) WHERE state = 'pending';

-- A freed lock keeps its row with no run, so that its fence never goes back.
CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    run INTEGER REFERENCES run (id),
    owner TEXT NOT NULL,
    step TEXT NOT NULL,
    since INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    fence INTEGER NOT NULL
) STRICT;

CREATE INDEX lease_by_run ON lease (run);
