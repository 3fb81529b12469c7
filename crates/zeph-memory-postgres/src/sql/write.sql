-- Writes a commit whose runs are locked and checked, and prolongs the lease of its owner if a third of it is over.
-- Returns the names of the runs that it created or updated; nothing is written of a run that another process has just
-- created.
WITH new_runs AS (
    SELECT * FROM unnest(
        $3::text[], $4::boolean[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::boolean[],
        $10::text[], $11::bigint[], $12::bytea[], $13::bytea[], $14::bytea[]
    ) AS new (run, creating, title, created_at, updated_at, state, open, summary, last_seq, genesis, head,
              status_hash)
), created AS (
    INSERT INTO runs (run, title, created_at, updated_at, state, open, summary, epoch, last_seq, genesis, head,
                      status_hash)
    SELECT run, title, created_at, updated_at, state, open, summary, $1, last_seq, genesis, head, status_hash
    FROM new_runs WHERE creating ORDER BY run COLLATE "C"
    ON CONFLICT (run) DO NOTHING
    RETURNING run
), updated AS (
    UPDATE runs SET updated_at = new.updated_at, state = new.state, open = new.open, summary = new.summary,
                    last_seq = new.last_seq, head = new.head, status_hash = new.status_hash
    FROM new_runs AS new
    WHERE NOT new.creating AND runs.run = new.run AND runs.epoch = $1
    RETURNING runs.run
), own AS (
    SELECT run FROM created UNION ALL SELECT run FROM updated
), new_rows AS (
    INSERT INTO journal (run, seq, at, payload, contents, content_hash, hash)
    SELECT run, seq, at, payload, contents::bigint[], content_hash, hash
    FROM unnest($15::text[], $16::bigint[], $17::bigint[], $18::text[], $19::text[], $20::bytea[], $21::bytea[])
         AS new (run, seq, at, payload, contents, content_hash, hash)
    WHERE run IN (SELECT run FROM own)
), new_contents AS (
    INSERT INTO contents (run, content, seq, part, hash, kind, name, bytes)
    SELECT * FROM unnest($22::text[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bytea[], $27::text[],
                         $28::text[], $29::bytea[])
         AS new (run, content, seq, part, hash, kind, name, bytes)
    WHERE run IN (SELECT run FROM own)
), settled AS (
    DELETE FROM inbox USING runs
    WHERE inbox.id = ANY ($30) AND runs.run = inbox.run AND runs.epoch = $1
), new_drafts AS (
    INSERT INTO drafts (run, key, at, hash, bytes)
    SELECT * FROM unnest($31::text[], $32::text[], $33::bigint[], $34::bytea[], $35::bytea[])
    ON CONFLICT (run, key) DO UPDATE SET at = excluded.at, hash = excluded.hash, bytes = excluded.bytes
), removed_drafts AS (
    DELETE FROM drafts USING unnest($36::text[], $37::text[]) AS removed (run, key)
    WHERE drafts.run = removed.run AND drafts.key = removed.key
), new_results AS (
    INSERT INTO results (key, run, content)
    SELECT * FROM unnest($38::bytea[], $39::text[], $40::bigint[])
    ON CONFLICT (key) DO UPDATE SET run = excluded.run, content = excluded.content
), prolonged AS (
    UPDATE claims SET lapses_at = clock_timestamp() + make_interval(secs => $2)
    WHERE epoch = $1 AND lapses_at > '-infinity'
      AND lapses_at < clock_timestamp() + make_interval(secs => $2 * 2 / 3)
)
SELECT run FROM own
