-- Views that know what attempts write while they run. No table changes.

PRAGMA user_version = 2;

-- The tasks that each run's graph has grown by, in the order of their numbers.
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

-- What was kept about each attempt: prompts, replies, tool calls, routes.
CREATE VIEW notes (run, task, attempt, seq, at, kind, text) AS
SELECT journal.run, payload ->> '$.task', payload ->> '$.attempt', journal.seq, journal.at,
       contents.name, CAST(contents.bytes AS TEXT)
FROM journal JOIN contents
     ON contents.run = journal.run AND contents.seq = journal.seq
WHERE contents.kind = 'note';

-- How each task of each run stands, as before; what an attempt writes while it runs is not its state,
-- and tasks that were added have their names.
DROP VIEW tasks;
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
               max(at) FILTER (WHERE type IN ('completed', 'failed', 'skipped', 'canceled')) AS ended_at
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
