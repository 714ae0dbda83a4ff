-- Runs that were dropped because of their age or number, in ranges; and the end of the chain of the last run of each, which the
-- next run's first entry may name. Times are seconds since 1970-01-01 UTC.
CREATE TABLE dropped (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash TEXT NOT NULL,
    seal TEXT NOT NULL DEFAULT ''
) STRICT;

-- What is looked for when runs are dropped: those of a runbook on an environment, who else has the texts of one, and who began as
-- it did.
CREATE INDEX source_by_text ON source (hash);
CREATE INDEX run_by_group ON run (runbook, environment, id);
CREATE INDEX run_by_origin ON run (from_run) WHERE from_run IS NOT NULL;
