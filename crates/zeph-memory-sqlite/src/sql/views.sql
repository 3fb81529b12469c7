-- The views of the newest version. Each migration ends with this script, so a change here needs a new
-- version.

DROP VIEW IF EXISTS tasks;
DROP VIEW IF EXISTS notes;
DROP VIEW IF EXISTS items;
DROP VIEW IF EXISTS patches;
DROP VIEW IF EXISTS growth;
DROP VIEW IF EXISTS headers;

-- The header of each run as text.
CREATE VIEW headers (run, header) AS
SELECT run, CAST(bytes AS TEXT) FROM contents WHERE content = 0;

-- What added tasks to the graph of each run, in the order of their numbers: a patch, or the list of a task that
-- runs once for each item.
CREATE VIEW growth (run, seq, first, size, patch, task) AS
SELECT run, seq,
       (SELECT json_array_length(iif(json_valid(header), header, '{}'), '$.graph.tasks')
        FROM headers WHERE headers.run = grown.run)
       + coalesce(sum(size) OVER (
             PARTITION BY run ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0),
       size, patch, task
FROM (
    SELECT run, seq, json_array_length(patch, '$.tasks') AS size, patch, NULL AS task
    FROM (
        SELECT run, seq, iif(json_valid(CAST(bytes AS TEXT)), CAST(bytes AS TEXT), '{}') AS patch
        FROM contents WHERE kind = 'patch'
    )
    UNION ALL
    SELECT run, seq, payload ->> '$.count', NULL, payload ->> '$.task'
    FROM journal WHERE iif(json_valid(payload), payload, '{}') ->> '$.type' = 'expanded'
) AS grown;

-- The patches of each run.
CREATE VIEW patches (run, seq, first, patch) AS
SELECT run, seq, first, patch FROM growth WHERE patch IS NOT NULL;

-- The items of each list, with the names that they have in the graph.
CREATE VIEW items (run, task, name) AS
SELECT growth.run, growth.first + place.key,
       coalesce(
           (SELECT iif(json_valid(header), header, '{}')
                   ->> ('$.graph.tasks[' || growth.task || '].name')
            FROM headers WHERE headers.run = growth.run),
           (SELECT patches.patch ->> ('$.tasks[' || (growth.task - patches.first) || '].name')
            FROM patches WHERE patches.run = growth.run AND growth.task >= patches.first
            ORDER BY patches.first DESC LIMIT 1)
       ) || '[' || place.key || ']'
FROM growth,
     json_each('[' || replace(hex(zeroblob(growth.size - 1)), '00', '0,') || '0]') AS place
WHERE growth.patch IS NULL AND growth.size > 0;

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
CREATE VIEW tasks
    (run, task, name, state, attempts, started_at, ended_at, started, ended, supplied) AS
SELECT runs.run, fold.value ->> 0, fold.value ->> 1,
       CASE fold.value ->> 2
           WHEN 'preparing' THEN 'pending'
           WHEN 'readied' THEN 'ready'
           WHEN 'started' THEN 'running'
           WHEN 'attempt_failed' THEN 'running'
           WHEN 'attempt_cut' THEN 'running'
           WHEN 'backed_off' THEN 'backing_off'
           WHEN 'asked' THEN 'asking'
           WHEN 'answered' THEN 'asking'
           WHEN 'cancel_requested' THEN 'canceling'
           WHEN 'supplied' THEN 'completed'
           WHEN 'expanded' THEN 'mapping'
           WHEN 'fell_back' THEN 'falling_back'
           ELSE fold.value ->> 2
       END,
       fold.value ->> 3, fold.value ->> 4, fold.value ->> 5,
       strftime('%Y-%m-%d %H:%M:%f', (fold.value ->> 4) / 1e6, 'unixepoch'),
       strftime('%Y-%m-%d %H:%M:%f', (fold.value ->> 5) / 1e6, 'unixepoch'),
       fold.value ->> 6
FROM runs, json_each((
    SELECT json_group_array(json_array(task, name, last, attempts, started_at, ended_at,
                                       supplied))
    FROM (
        -- A task that an amendment took out has its name with a mark, as in the graph.
        SELECT task,
               max(name) || iif(max(why) FILTER (WHERE type = 'skipped') = 'removed',
                                ' (removed)', '') AS name,
               substr(max(printf('%019d', seq) || type), 20) AS last,
               count(*) FILTER (WHERE type = 'started') AS attempts,
               min(at) FILTER (WHERE type = 'started') AS started_at,
               max(at) FILTER (WHERE type IN
                   ('completed', 'supplied', 'failed', 'skipped', 'canceled')) AS ended_at,
               max(coalesce(why, 'kept')) FILTER (WHERE type = 'supplied') AS supplied
        FROM (
            SELECT seq, at, NULL AS name,
                   iif(json_valid(payload), payload, '{}') ->> '$.task' AS task,
                   iif(json_valid(payload), payload, '{}') ->> '$.type' AS type,
                   iif(json_valid(payload), payload, '{}') ->> '$.why' AS why
            FROM journal WHERE journal.run = runs.run
            UNION ALL
            SELECT 0, NULL, known.value ->> '$.name', known.key, 'pending', NULL
            FROM headers, json_each(iif(json_valid(header), header, '{}'), '$.graph.tasks') AS known
            WHERE headers.run = runs.run
            UNION ALL
            SELECT 0, NULL, known.value ->> '$.name', patches.first + known.key, 'pending', NULL
            FROM patches, json_each(patches.patch, '$.tasks') AS known
            WHERE patches.run = runs.run
            UNION ALL
            SELECT 0, NULL, items.name, items.task, 'pending', NULL
            FROM items WHERE items.run = runs.run
        )
        WHERE task IS NOT NULL AND type NOT IN
            ('reserved', 'settled', 'noted', 'amended', 'overridden')
        GROUP BY task
    )
)) AS fold;
