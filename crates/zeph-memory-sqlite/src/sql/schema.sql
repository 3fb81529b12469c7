-- Version 4: runs, their journals and contents, and an inbox. Times are microseconds since 1970-01-01 UTC.

PRAGMA application_id = 0x7a657068;  -- "zeph"
PRAGMA user_version = 4;

-- The owners of runs so far. An epoch is never used twice; a commit names the epoch of its writer.
CREATE TABLE claims (
    epoch  INTEGER PRIMARY KEY AUTOINCREMENT,
    name   TEXT NOT NULL,
    since  INTEGER NOT NULL
) STRICT;

-- One row for each run: its status, and the end of its hash chain.
CREATE TABLE runs (
    run          TEXT NOT NULL PRIMARY KEY,
    title        TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,                     -- of the last row
    state        TEXT NOT NULL,
    open         INTEGER NOT NULL CHECK (open IN (0, 1)),
    summary      TEXT NOT NULL,                        -- JSON
    epoch        INTEGER NOT NULL,                     -- of its owner, the only one that appends to it
    last_seq     INTEGER NOT NULL,                     -- 0: no rows yet
    genesis      BLOB NOT NULL,                        -- hash over run, title, created_at and header
    head         BLOB NOT NULL,                        -- hash of the last row, or genesis
    status_hash  BLOB NOT NULL                         -- hash over the row without epoch and genesis
) STRICT;
CREATE INDEX runs_newest ON runs (created_at, run);
CREATE INDEX runs_open ON runs (open, created_at, run);

-- Every decision of every run, append-only, without gaps. All other state of a run follows from it.
CREATE TABLE journal (
    run           TEXT NOT NULL,
    seq           INTEGER NOT NULL,                    -- 1, 2, 3…
    at            INTEGER NOT NULL,
    payload       TEXT NOT NULL,                       -- JSON
    contents      TEXT,                                -- JSON: the content id of each part it brought
    content_hash  BLOB NOT NULL,                       -- hash over these parts
    hash          BLOB NOT NULL,                       -- hash over this row and the hash before it
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- Outputs, errors, logs and answers, which journal rows refer to by id. Content 0 is the run's header.
CREATE TABLE contents (
    run      TEXT NOT NULL,
    content  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,                         -- the row that brought it
    part     INTEGER NOT NULL,                         -- its place among the parts of that row
    hash     BLOB NOT NULL,                            -- hash over all other columns
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,                            -- '' for the main part
    bytes    BLOB NOT NULL,
    PRIMARY KEY (run, content, seq, part)
) STRICT;

-- Requests of other processes to the owner of a run. The owner's commit removes the handled ones.
CREATE TABLE inbox (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    run   TEXT NOT NULL,
    at    INTEGER NOT NULL,
    body  TEXT NOT NULL,
    hash  BLOB NOT NULL                                -- hash over all other columns
) STRICT;
CREATE INDEX inbox_run ON inbox (run);
