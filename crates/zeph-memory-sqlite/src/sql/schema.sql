-- Runs, their journals and contents, and an inbox. Times are microseconds since 1970-01-01 UTC.

PRAGMA application_id = 0x7a657068;  -- "zeph"
PRAGMA user_version = 5;

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

-- The header of each run as text.
CREATE VIEW headers (run, header) AS
SELECT run, CAST(bytes AS TEXT) FROM contents WHERE content = 0;

-- The tasks that were added to the graph of each run, in the order of their numbers.
CREATE VIEW patches (run, seq, first, patch) AS
SELECT run, seq,
       (SELECT json_array_length(iif(json_valid(header), header, '{}'), '$.graph.tasks')
        FROM headers WHERE headers.run = grown.run)
       + coalesce(sum(size) OVER (
             PARTITION BY run ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0),
       patch
FROM (
    SELECT run, seq, patch, json_array_length(patch, '$.tasks') AS size
    FROM (
        SELECT run, seq, iif(json_valid(CAST(bytes AS TEXT)), CAST(bytes AS TEXT), '{}') AS patch
        FROM contents WHERE kind = 'patch'
    )
) AS grown;

-- The notes of each attempt: prompts, replies, tool calls, routes.
CREATE VIEW notes (run, task, attempt, seq, at, kind, text) AS
SELECT journal.run, payload ->> '$.task', payload ->> '$.attempt', journal.seq, journal.at,
       contents.name, CAST(contents.bytes AS TEXT)
FROM journal JOIN contents
     ON contents.run = journal.run AND contents.seq = journal.seq
WHERE contents.kind = 'note';

-- The state of each task of each run, derived from the journal. The steps of a run are folded inside the
-- argument of json_each, so that a query about one run reads that run only. Records that an attempt writes
-- while it runs do not change the state of its task.
CREATE VIEW tasks (run, task, name, state, attempts, started_at, ended_at, started, ended) AS
SELECT runs.run, fold.value ->> 0, fold.value ->> 1,
       CASE fold.value ->> 2
           WHEN 'readied' THEN 'ready'
           WHEN 'started' THEN 'running'
           WHEN 'attempt_failed' THEN 'running'
           WHEN 'attempt_cut' THEN 'running'
           WHEN 'backed_off' THEN 'backing_off'
           WHEN 'asked' THEN 'asking'
           WHEN 'answered' THEN 'asking'
           WHEN 'cancel_requested' THEN 'canceling'
           WHEN 'supplied' THEN 'completed'
           ELSE fold.value ->> 2
       END,
       fold.value ->> 3, fold.value ->> 4, fold.value ->> 5,
       strftime('%Y-%m-%d %H:%M:%f', (fold.value ->> 4) / 1e6, 'unixepoch'),
       strftime('%Y-%m-%d %H:%M:%f', (fold.value ->> 5) / 1e6, 'unixepoch')
FROM runs, json_each((
    SELECT json_group_array(json_array(task, name, last, attempts, started_at, ended_at))
    FROM (
        SELECT task, max(name) AS name,
               substr(max(printf('%019d', seq) || type), 20) AS last,
               count(*) FILTER (WHERE type = 'started') AS attempts,
               min(at) FILTER (WHERE type = 'started') AS started_at,
               max(at) FILTER (WHERE type IN
                   ('completed', 'supplied', 'failed', 'skipped', 'canceled')) AS ended_at
        FROM (
            SELECT seq, at, NULL AS name,
                   iif(json_valid(payload), payload, '{}') ->> '$.task' AS task,
                   iif(json_valid(payload), payload, '{}') ->> '$.type' AS type
            FROM journal WHERE journal.run = runs.run
            UNION ALL
            SELECT 0, NULL, known.value ->> '$.name', known.key, 'pending'
            FROM headers, json_each(iif(json_valid(header), header, '{}'), '$.graph.tasks') AS known
            WHERE headers.run = runs.run
            UNION ALL
            SELECT 0, NULL, known.value ->> '$.name', patches.first + known.key, 'pending'
            FROM patches, json_each(patches.patch, '$.tasks') AS known
            WHERE patches.run = runs.run
        )
        WHERE task IS NOT NULL AND type NOT IN ('reserved', 'settled', 'noted', 'amended')
        GROUP BY task
    )
)) AS fold;
