-- What resuming needs: names in the world, what a plan said, why a run stands still and how its script ended.
ALTER TABLE run ADD COLUMN uid TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN plan TEXT;
ALTER TABLE run ADD COLUMN parked TEXT;
ALTER TABLE run ADD COLUMN script_end TEXT;
UPDATE run SET uid = lower(hex(randomblob(8)));

ALTER TABLE call ADD COLUMN changes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE call ADD COLUMN masked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE call ADD COLUMN marker TEXT;
ALTER TABLE call ADD COLUMN decision TEXT;

-- The call that recorded it: a call made again after a crash records no second release.
ALTER TABLE release ADD COLUMN path TEXT NOT NULL DEFAULT '';
CREATE INDEX release_by_call ON release (run, path);

-- Who has the run now, since when: of a resumed run not the one who started it.
ALTER TABLE run ADD COLUMN owned_by TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN owned_since INTEGER NOT NULL DEFAULT 0;
UPDATE run SET owned_by = started_by, owned_since = started_at;

-- Everything that ever happened to the rows of a run, in order; each hash covers all entries up to its own. It stands before
-- the body, which may be long, and would have to be read past.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (run, number)
) STRICT;

-- Rows outside the runs carry their own hash.
ALTER TABLE lease ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE format ADD COLUMN seal TEXT NOT NULL DEFAULT '';
