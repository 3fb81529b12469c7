-- Version 5: drafts.

PRAGMA user_version = 5;

-- Bytes of a run that grow and are replaced, such as the logs of running attempts. Not part of the hash
-- chain. The owner's commit removes a draft when its final form is in the journal.
CREATE TABLE drafts (
    run    TEXT NOT NULL,
    key    TEXT NOT NULL,
    at     INTEGER NOT NULL,
    hash   BLOB NOT NULL,                              -- hash over all other columns
    bytes  BLOB NOT NULL,
    PRIMARY KEY (run, key)
) STRICT;
