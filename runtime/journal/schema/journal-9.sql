-- Restore drills, each with its evidence: they stay when the run they were a part of is dropped. Times are microseconds since
-- 1970-01-01 UTC, `recovery_time` is in milliseconds, `recovery_point` in seconds.
CREATE TABLE drill (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    repository TEXT NOT NULL,
    job TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    run INTEGER NOT NULL,
    at INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failure TEXT NOT NULL,
    recovery_time INTEGER NOT NULL,
    recovery_point INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    seal TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX drill_of_repository ON drill (repository, at);
