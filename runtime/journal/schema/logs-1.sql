-- One month of log lines; times are microseconds since 1970-01-01 UTC.
CREATE TABLE line (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    path TEXT NOT NULL,
    stream TEXT NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE INDEX line_by_run ON line (run, id);

-- Only which line holds which word: phrases are looked for in the lines that this index finds.
CREATE VIRTUAL TABLE line_text USING fts5 (text, content = 'line', content_rowid = 'id', detail = none, columnsize = 0);
