-- The statements of those who look at a spool file from outside: `view.py`, `invariants.py`. Same conventions as in
-- sqlite.sql; values come in by name, because a listing has many.

-- name: listed
-- Row numbers that pass a filter. /*from*/ is one of the sources below, /*order*/ ASC or DESC. :account, :states as bits,
-- :after and :before seq, :worker, :day, :since, :error, :text and :newest: NULL (for :newest 0) lets every row pass.
SELECT j.seq FROM /*from*/
WHERE j.account = :account AND (1 << j.state) & :states AND j.seq > :after AND j.seq < :before
AND (:worker IS NULL OR j.worker = :worker)
AND (:day IS NULL OR c.day = :day)
AND (:since IS NULL OR j.updated_at >= :since)
AND (:error IS NULL OR instr(lower(j.error), lower(:error)) > 0)
AND (:text IS NULL OR instr(lower(c.key), lower(:text)) > 0)
AND (:prefix IS NULL OR substr(j.error, 1, length(:prefix)) <> :prefix OR j.state <> 7)
AND (NOT :newest OR NOT EXISTS (
    SELECT 1 FROM contents AS n WHERE n.account = c.account AND n.key = c.key AND n.version > c.version
))
ORDER BY j.seq /*order*/ LIMIT :limit;

-- name: from_all
jobs AS j NOT INDEXED CROSS JOIN contents AS c ON c.seq = j.seq

-- name: from_unsettled
-- Few rows among many settled ones.
jobs AS j INDEXED BY unsettled CROSS JOIN contents AS c ON c.seq = j.seq AND j.state IN (0, 1, 2, 3, 4)
AND j.state = :state

-- name: from_failed
jobs AS j INDEXED BY failed CROSS JOIN contents AS c ON c.seq = j.seq AND j.state IN (6, 7) AND j.state = :state

-- name: from_keys
json_each(:keys) AS k CROSS JOIN contents AS c ON c.account = :account AND c.key = k.value
CROSS JOIN jobs AS j ON j.seq = c.seq

-- name: whole_rows
-- Everything of the next rows of all accounts, to be copied. ?1 after, ?2 limit
SELECT c.seq, a.name, c.key, c.version, c.switches, c.day, c.priority, c.accepted_at, c.worker, c.digest, c.body,
    j.state, j.next_at, j.attempts, j.refusals, j.sent_at, j.settle_by, j.updated_at, j.autoassign,
    j.worker, j.remote_id, j.error, j.note
FROM contents AS c CROSS JOIN jobs AS j ON j.seq = c.seq CROSS JOIN accounts AS a ON a.id = c.account
WHERE c.seq > ?1 ORDER BY c.seq LIMIT ?2;

-- name: versions
-- The rows of a key, oldest version first. ?1 account, ?2 key
SELECT seq FROM contents WHERE account = ?1 AND key = ?2 ORDER BY version;

-- name: oldest_waiting
-- When the oldest unsettled job of an account was accepted. ?1 account
SELECT accepted_at FROM contents WHERE seq = (
    SELECT min(seq) FROM jobs INDEXED BY unsettled WHERE account = ?1 AND state IN (0, 1, 2, 3, 4)
);

-- name: prunable_rows
-- How many rows of each account and state `prune` would delete. ?1 no change since
SELECT j.account, j.state, count(*) FROM jobs AS j NOT INDEXED
CROSS JOIN contents AS c ON c.seq = j.seq
WHERE j.seq < (SELECT max(seq) FROM jobs) AND j.state >= 5 AND j.updated_at < ?1
AND NOT EXISTS (
    SELECT 1 FROM contents AS older CROSS JOIN jobs AS o ON o.seq = older.seq
    WHERE older.account = c.account AND older.key = c.key AND older.version < c.version
    AND (o.state <= 4 OR o.updated_at >= ?1)
)
GROUP BY j.account, j.state;

-- name: indexed_tally
-- Rows as claims and listings find them, by account and state, confirmed ones left out: they are in no index.
SELECT account, state, count(*) FROM jobs INDEXED BY unsettled WHERE state IN (0, 1, 2, 3, 4) GROUP BY account, state
UNION ALL
SELECT account, state, count(*) FROM jobs INDEXED BY failed WHERE state IN (6, 7) GROUP BY account, state;

-- name: wrong_content
-- Rows whose state has no content, or that of another account.
SELECT j.seq FROM jobs AS j LEFT JOIN contents AS c ON c.seq = j.seq
WHERE c.seq IS NULL OR c.account <> j.account OR j.account NOT IN (SELECT id FROM accounts);

-- name: wrong_state
-- Contents without a state, and states that no number stands for.
SELECT c.seq FROM contents AS c LEFT JOIN jobs AS j ON j.seq = c.seq
WHERE j.seq IS NULL OR j.state NOT BETWEEN 0 AND 7;

-- name: wrong_key
-- Bodies that are not the JSON object of their key.
SELECT seq FROM contents WHERE NOT iif(
    json_valid(CAST(body AS TEXT)), json_extract(CAST(body AS TEXT), '$.uidSecondary') IS key, 0
);

-- name: wrong_order
-- Versions that were accepted before an older one of their key.
SELECT DISTINCT newer.seq FROM contents AS newer CROSS JOIN contents AS older
ON older.account = newer.account AND older.key = newer.key AND older.version < newer.version AND older.seq > newer.seq
WHERE newer.version > 1;

-- name: wrong_pair
-- Versions that are under way (2 sending, 3 unknown) together with an older one of their key.
SELECT c.seq FROM jobs AS j INDEXED BY unsettled
CROSS JOIN contents AS c ON c.seq = j.seq
WHERE j.state IN (0, 1, 2, 3, 4) AND j.state IN (2, 3) AND c.version > 1 AND EXISTS (
    SELECT 1 FROM contents AS older CROSS JOIN jobs AS o ON o.seq = older.seq AND o.state IN (2, 3)
    WHERE older.account = c.account AND older.key = c.key AND older.version < c.version
);

-- name: wrong_block
-- Rows that wait for an older version although there is none to wait for, or do not although there is.
SELECT j.seq FROM jobs AS j CROSS JOIN contents AS c ON c.seq = j.seq
WHERE j.blocked <> (j.state <= 4 AND c.version > 1 AND EXISTS (
    SELECT 1 FROM contents AS older CROSS JOIN jobs AS o ON o.seq = older.seq AND o.state <= 4
    WHERE older.account = c.account AND older.key = c.key AND older.version < c.version
));
