-- Version 7: results that are found again.

PRAGMA user_version = 7;

-- Results by the hash over everything that they depend on: which content of which run. Not part of the hash
-- chain, and not exported; deleted with the run.
CREATE TABLE results (
    key      BLOB NOT NULL PRIMARY KEY,
    run      TEXT NOT NULL,
    content  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX results_run ON results (run);
