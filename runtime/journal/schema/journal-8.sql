-- When the round began in which all data of each repository is read, one part after the other.
CREATE TABLE reading_round (
    repository TEXT PRIMARY KEY,
    began INTEGER NOT NULL,
    seal TEXT NOT NULL DEFAULT ''
) STRICT;
