-- Version 1: runs, their journals and contents, an inbox, drafts and keyed results.
--
-- Times of runs are microseconds since 1970-01-01 UTC, by the clock of their owner. Leases are by the clock of
-- this server. A text with the character U+0000, which Postgres does not store, has U+001A and "0" in its place,
-- and U+001A and "1" in the place of U+001A.

CREATE TABLE schema_version (
    version  bigint NOT NULL
);
INSERT INTO schema_version VALUES (1);

-- The owners of runs. An epoch is never used twice; a commit names the epoch of its writer.
CREATE TABLE claims (
    epoch      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    since      bigint NOT NULL,
    lapses_at  timestamptz NOT NULL                    -- from then on others may adopt the runs of this owner
);

-- One row for each run: its status, and the end of its hash chain.
CREATE TABLE runs (
    run          text COLLATE "C" PRIMARY KEY,
    title        text NOT NULL,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,                      -- of the last row
    state        text NOT NULL,
    open         boolean NOT NULL,
    summary      text NOT NULL,                        -- JSON
    epoch        bigint NOT NULL,                      -- of its owner, the only one that appends to it
    last_seq     bigint NOT NULL,                      -- 0: no rows yet
    genesis      bytea NOT NULL,                       -- hash over run, title, created_at and header
    head         bytea NOT NULL,                       -- hash of the last row, or genesis
    status_hash  bytea NOT NULL                        -- hash over the row without epoch and genesis
);
CREATE INDEX runs_newest ON runs (created_at, run);
CREATE INDEX runs_open ON runs (open, created_at, run);

-- Every decision of every run, append-only, without gaps. All other state of a run follows from it.
CREATE TABLE journal (
    run           text COLLATE "C" NOT NULL,
    seq           bigint NOT NULL,                     -- 1, 2, 3…
    at            bigint NOT NULL,
    payload       text NOT NULL,                       -- JSON
    contents      bigint[],                            -- the content id of each part it brought
    content_hash  bytea NOT NULL,                      -- hash over these parts
    hash          bytea NOT NULL,                      -- hash over this row and the hash before it
    PRIMARY KEY (run, seq)
);

-- Outputs, errors, logs and answers, which journal rows refer to by id. Content 0 is the run's header.
CREATE TABLE contents (
    run      text COLLATE "C" NOT NULL,
    content  bigint NOT NULL,
    seq      bigint NOT NULL,                          -- the row that brought it
    part     bigint NOT NULL,                          -- its place among the parts of that row
    hash     bytea NOT NULL,                           -- hash over all other columns
    kind     text NOT NULL,
    name     text NOT NULL,                            -- '' for the main part
    bytes    bytea NOT NULL,
    PRIMARY KEY (run, content, seq, part)
);

-- Requests of other processes to the owner of a run. The owner's commit removes the handled ones.
CREATE TABLE inbox (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run   text COLLATE "C" NOT NULL,
    at    bigint NOT NULL,
    body  text NOT NULL,
    hash  bytea NOT NULL                               -- hash over all other columns
);
CREATE INDEX inbox_run ON inbox (run, id);

-- Bytes of a run that grow and are replaced, such as the logs of running attempts. Not part of the hash
-- chain. The owner's commit removes a draft when its final form is in the journal.
CREATE TABLE drafts (
    run    text COLLATE "C" NOT NULL,
    key    text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    hash   bytea NOT NULL,                             -- hash over all other columns
    bytes  bytea NOT NULL,
    PRIMARY KEY (run, key)
);

-- Results by the hash over everything that they depend on: which content of which run. Not part of the hash
-- chain, and not exported; deleted with the run.
CREATE TABLE results (
    key      bytea PRIMARY KEY,
    run      text COLLATE "C" NOT NULL,
    content  bigint NOT NULL
);
CREATE INDEX results_run ON results (run);
