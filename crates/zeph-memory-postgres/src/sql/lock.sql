-- Locks the runs that a commit touches, in the order of their names, so that no two commits wait for each other.
SELECT run, epoch, last_seq, head
FROM runs
WHERE run = ANY ($1) OR run IN (SELECT inbox.run FROM inbox WHERE inbox.id = ANY ($2))
ORDER BY run
FOR NO KEY UPDATE
