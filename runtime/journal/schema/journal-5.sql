-- Who may ask the service. Of a token only its hash is kept. Times are seconds since 1970-01-01 UTC.
CREATE TABLE token (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER NOT NULL,
    seal TEXT NOT NULL DEFAULT ''
) STRICT;

-- What webhooks brought: the same starts nothing twice.
CREATE TABLE delivery (
    webhook TEXT NOT NULL,
    mark TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (webhook, mark)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_by_time ON delivery (at);
