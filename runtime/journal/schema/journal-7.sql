-- Snapshots of backups: as the repositories had them when they were last opened, and what is known of them besides. Times are
-- microseconds since 1970-01-01 UTC.
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    name TEXT NOT NULL,
    job TEXT NOT NULL,
    host TEXT NOT NULL,
    at INTEGER NOT NULL,
    tags TEXT NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    added INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL,
    parts TEXT NOT NULL,
    proofs TEXT NOT NULL DEFAULT '[]',
    copies TEXT NOT NULL DEFAULT '[]',
    gone INTEGER NOT NULL DEFAULT 0,
    noted INTEGER NOT NULL,
    seal TEXT NOT NULL DEFAULT '',
    UNIQUE (repository, name)
) STRICT;

-- How far the data of each repository was read and compared with its hashes.
CREATE TABLE reading (
    repository TEXT PRIMARY KEY,
    part INTEGER NOT NULL,
    at INTEGER NOT NULL,
    seal TEXT NOT NULL DEFAULT ''
) STRICT;

-- The newest call of a name, without reading all of them.
CREATE INDEX call_of_backup ON call (id) WHERE name = 'backup';
