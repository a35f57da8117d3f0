-- The statements of the SQLite spool. One block per statement: "-- name: NAME", what it is for, the statement.
--
-- States are small integers in the order of the life of a job: 0 accepted, 1 assigned, 2 sending, 3 unknown, 4 held,
-- 5 confirmed, 6 rejected, 7 dead; up to 4 is unsettled. Times are whole microseconds since 1970, 0 is "none".
-- Lists of row numbers and keys come in as one JSON text and lists of rows go out as one: each step of a statement gives
-- the interpreter lock away and must win it back, so a statement takes one step however many rows it touches.
-- /*rows*/ stands for as many copies of the row behind VALUES as there are rows.

-- name: schema_1
-- contents: what a job is, written once. jobs: where it is, rewritten at every move and therefore narrow, so that a move of
-- a whole batch dirties few pages. Both carry the same seq. The indexes over jobs are partial: a confirmed row is in none. Every index ends with the seq of its row. Their conditions
-- are lists because the planner proves "state = ?" inside a list reliably, and prefers a range to the equality otherwise.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE contents (
    seq INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    version INTEGER NOT NULL,
    switches INTEGER NOT NULL,
    day INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    worker TEXT,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX contents_by_key ON contents (account, key, version);

CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    state INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    settle_by INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    autoassign INTEGER NOT NULL,
    worker TEXT,
    remote_id TEXT,
    error TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE INDEX unsettled ON jobs (account, state, next_at, blocked) WHERE state IN (0, 1, 2, 3, 4);

CREATE INDEX blocked ON jobs (seq) WHERE blocked = 1;

CREATE INDEX failed ON jobs (account, state) WHERE state IN (6, 7);

-- name: all_accounts
SELECT id, name FROM accounts;

-- name: tally
-- The one full scan, at open: counters are rebuilt from the rows.
SELECT account, state, count(*) FROM jobs GROUP BY account, state;

-- name: last_seq
SELECT coalesce(max(seq), 0) FROM jobs;

-- name: any_blocked
SELECT EXISTS (SELECT 1 FROM jobs INDEXED BY blocked WHERE blocked = 1);

-- name: recover
-- What was being sent when the process died may have arrived. ?1 now
UPDATE jobs SET state = 3, next_at = 0, updated_at = ?1 WHERE state = 2;

-- name: add_account
INSERT INTO accounts (name) VALUES (?1) RETURNING id;

-- name: newest
-- The newest version of each of these keys that is here already. ?1 account, ?2 keys.
-- The plus keeps the search on (account, key), so that a new key costs one probe.
SELECT json_group_array(json_array(c.key, c.seq, c.version, hex(c.digest), j.state))
FROM json_each(?2) AS k
CROSS JOIN contents AS c ON c.account = ?1 AND c.key = k.value
CROSS JOIN jobs AS j ON j.seq = c.seq
WHERE +c.version = (SELECT max(n.version) FROM contents AS n WHERE n.account = ?1 AND n.key = k.value);

-- name: add_contents
-- ?1 account
INSERT INTO contents (account, seq, version, switches, day, priority, accepted_at, worker, key, digest, body)
VALUES /*rows*/ (?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_jobs
-- The moving half of the rows just added. ?1 first seq, ?2 last seq
INSERT INTO jobs (
    seq, account, state, blocked, next_at, attempts, refusals, sent_at, settle_by, updated_at,
    autoassign, worker, remote_id, error, note
)
SELECT seq, account, 0, 0, 0, 0, 0, 0, 0, accepted_at, 0, worker, NULL, '', ''
FROM contents WHERE seq BETWEEN ?1 AND ?2;

-- name: movable
-- The rows of a change that are in an expected state. ?1 seqs, ?2 expected states as bits
SELECT json_group_array(json_array(seq, account, state))
FROM jobs WHERE seq IN (SELECT value FROM json_each(?1)) AND (1 << state) & ?2;

-- name: move
-- ?1 to, ?2 now, ?3 next_at, ?4 attempts to add, ?5 refusals to add, ?6 autoassign, ?7 sent_at, ?8 settle_by, ?9 error
-- (the last four: NULL leaves the column), ?10 expected states as bits, ?11 seqs. A settled row blocks and waits for nothing.
UPDATE jobs SET
    state = ?1, updated_at = ?2, next_at = ?3, blocked = iif(?1 >= 5, 0, blocked),
    attempts = attempts + ?4, refusals = refusals + ?5,
    autoassign = coalesce(?6, autoassign), sent_at = coalesce(?7, sent_at),
    settle_by = coalesce(?8, settle_by), error = coalesce(?9, error)
WHERE seq IN (SELECT value FROM json_each(?11)) AND (1 << state) & ?10;

-- name: move_rows
-- As move, with values of their own for the rows: seq, worker (written when ?11), remote id and note (NULL leaves them).
UPDATE jobs SET
    state = ?1, updated_at = ?2, next_at = ?3, blocked = iif(?1 >= 5, 0, blocked),
    attempts = attempts + ?4, refusals = refusals + ?5,
    autoassign = coalesce(?6, autoassign), sent_at = coalesce(?7, sent_at),
    settle_by = coalesce(?8, settle_by), error = coalesce(?9, error),
    worker = iif(?11, v.column2, worker), remote_id = coalesce(v.column3, remote_id), note = coalesce(v.column4, note)
FROM (VALUES /*rows*/ (?, ?, ?, ?)) AS v
WHERE jobs.seq = v.column1 AND (1 << jobs.state) & ?10;

-- name: reblock
-- Decide anew which versions wait for an older one, for the keys of these rows from their version on. ?1 seqs
UPDATE jobs SET blocked = 1 - blocked
WHERE state <= 4
AND seq IN (
    SELECT newer.seq FROM json_each(?1) AS s
    CROSS JOIN contents AS c ON c.seq = s.value
    CROSS JOIN contents AS newer ON newer.account = c.account AND newer.key = c.key AND newer.version >= c.version
)
AND blocked <> EXISTS (
    SELECT 1 FROM contents AS mine
    CROSS JOIN contents AS older
    ON older.account = mine.account AND older.key = mine.key AND older.version < mine.version
    CROSS JOIN jobs AS o ON o.seq = older.seq AND o.state <= 4
    WHERE mine.seq = jobs.seq
)
RETURNING seq, account, state, blocked;

-- name: claimable
-- Due rows of one state, oldest first: those that never waited, from a floor on, and those whose time has come.
-- ?1 account, ?2 state, ?3 floor, ?4 after (both parts), ?5 now, ?6 limit
SELECT json_group_array(seq) FROM (
    SELECT seq FROM (
        SELECT seq FROM jobs INDEXED BY unsettled
        WHERE account = ?1 AND state = ?2 AND state IN (0, 1, 2, 3, 4)
        AND next_at = 0 AND blocked = 0 AND seq > max(?3, ?4)
        ORDER BY seq LIMIT ?6
    )
    UNION ALL
    SELECT seq FROM (
        SELECT seq FROM jobs INDEXED BY unsettled
        WHERE account = ?1 AND state = ?2 AND state IN (0, 1, 2, 3, 4)
        AND next_at > 0 AND next_at <= ?5 AND blocked = 0 AND seq > ?4
        ORDER BY seq LIMIT ?6
    )
    ORDER BY seq LIMIT ?6
);

-- name: spooled
-- These rows as jobs to work on, and their bodies one after the other. ?1 account, ?2 seqs
SELECT
    json_group_array(json_array(
        j.seq, c.key, c.version, length(c.body), c.switches, c.day, c.priority, j.state, j.worker, c.worker IS NOT NULL,
        j.autoassign, j.attempts, j.sent_at, j.settle_by, j.refusals
    )),
    CAST(group_concat(CAST(c.body AS TEXT), '') AS BLOB)
FROM json_each(?2) AS s
CROSS JOIN jobs AS j ON j.seq = s.value AND j.account = ?1
CROSS JOIN contents AS c ON c.seq = j.seq;

-- name: bodies
-- ?1 account, ?2 seqs
SELECT json_group_array(json_array(c.seq, length(c.body))), CAST(group_concat(CAST(c.body AS TEXT), '') AS BLOB)
FROM json_each(?2) AS s
CROSS JOIN contents AS c ON c.seq = s.value AND c.account = ?1;

-- name: next_due
-- The earliest later rows of one state. ?1 account, ?2 state, ?3 now, ?4 limit
SELECT json_group_array(json_array(next_at, seq)) FROM (
    SELECT next_at, seq FROM jobs INDEXED BY unsettled
    WHERE account = ?1 AND state = ?2 AND state IN (0, 1, 2, 3, 4) AND next_at > ?3
    ORDER BY next_at LIMIT ?4
);

-- name: open_seqs
-- Rows of one unsettled state in order of seq, blocked and waiting ones too. ?1 account, ?2 state, ?3 after, ?4 limit
SELECT json_group_array(seq) FROM (
    SELECT seq FROM (
        SELECT seq FROM jobs INDEXED BY unsettled
        WHERE account = ?1 AND state = ?2 AND state IN (0, 1, 2, 3, 4) AND next_at = 0 AND blocked = 0 AND seq > ?3
        ORDER BY seq LIMIT ?4
    )
    UNION ALL
    SELECT seq FROM (
        SELECT seq FROM jobs INDEXED BY unsettled
        WHERE account = ?1 AND state = ?2 AND state IN (0, 1, 2, 3, 4) AND next_at = 0 AND blocked = 1 AND seq > ?3
        ORDER BY seq LIMIT ?4
    )
    UNION ALL
    SELECT seq FROM (
        SELECT seq FROM jobs INDEXED BY unsettled
        WHERE account = ?1 AND state = ?2 AND state IN (0, 1, 2, 3, 4) AND next_at > 0 AND seq > ?3
        ORDER BY seq LIMIT ?4
    )
    ORDER BY seq LIMIT ?4
);

-- name: failed_seqs
-- Rejected or dead rows in order of seq. ?1 account, ?2 state, ?3 after, ?4 limit
SELECT json_group_array(seq) FROM (
    SELECT seq FROM jobs INDEXED BY failed
    WHERE account = ?1 AND state = ?2 AND state IN (6, 7) AND seq > ?3
    ORDER BY seq LIMIT ?4
);

-- name: all_seqs
-- Rows in any of some states in order of seq, along the table. ?1 account, ?2 states as bits, ?3 after, ?4 limit
SELECT json_group_array(seq) FROM (
    SELECT seq FROM jobs NOT INDEXED
    WHERE seq > ?3 AND account = ?1 AND (1 << state) & ?2
    ORDER BY seq LIMIT ?4
);

-- name: seq_of
-- A key's version, or its newest. ?1 account, ?2 key, ?3 version or NULL
SELECT json_group_array(seq) FROM (
    SELECT seq FROM contents
    WHERE account = ?1 AND key = ?2 AND version = coalesce(?3, version)
    ORDER BY version DESC LIMIT 1
);

-- name: receipts
-- ?1 account, ?2 seqs
SELECT json_group_array(json_array(
    c.key, c.version, j.seq, j.state, j.worker, c.worker IS NOT NULL, j.autoassign, c.day, c.priority,
    j.remote_id, j.attempts, j.next_at, j.error, j.note, c.accepted_at, j.updated_at,
    j.refusals, j.sent_at, j.settle_by, c.switches
))
FROM json_each(?2) AS s
CROSS JOIN jobs AS j ON j.seq = s.value AND j.account = ?1
CROSS JOIN contents AS c ON c.seq = j.seq;

-- name: row_window
-- The last of the ?2 rows after row ?1, NULL when there are none, and when the first of them was accepted.
SELECT max(w.seq), (SELECT accepted_at FROM contents WHERE seq > ?1 ORDER BY seq LIMIT 1)
FROM (SELECT seq FROM jobs NOT INDEXED WHERE seq > ?1 ORDER BY seq LIMIT ?2) AS w;

-- name: prunable
-- Settled rows without a change since ?1, from behind row ?2 to row ?5, at most ?3, of account ?4 (NULL: all). The last row stays, so that no number is used twice,
-- and no version goes before an older one, so that the newest version of a key is always the one that is compared with.
SELECT json_group_array(seq) FROM (
    SELECT j.seq FROM jobs AS j NOT INDEXED
    CROSS JOIN contents AS c ON c.seq = j.seq
    WHERE j.seq > ?2 AND j.seq < (SELECT max(seq) FROM jobs) AND j.state >= 5 AND j.updated_at < ?1
    AND j.seq <= ?5 AND (?4 IS NULL OR j.account = ?4)
    AND NOT EXISTS (
        SELECT 1 FROM contents AS older CROSS JOIN jobs AS o ON o.seq = older.seq
        WHERE older.account = c.account AND older.key = c.key AND older.version < c.version
        AND (o.state <= 4 OR o.updated_at >= ?1)
    )
    ORDER BY j.seq LIMIT ?3
);

-- name: still_settled
-- Which of these rows are as they were when they were chosen. ?1 seqs, ?2 no change since
SELECT json_group_array(json_array(seq, account, state))
FROM jobs WHERE seq IN (SELECT value FROM json_each(?1)) AND state >= 5 AND updated_at < ?2;

-- name: drop_jobs
-- ?1 seqs
DELETE FROM jobs WHERE seq IN (SELECT value FROM json_each(?1));

-- name: drop_contents
-- ?1 seqs
DELETE FROM contents WHERE seq IN (SELECT value FROM json_each(?1));

-- name: oldest_unsettled
-- When the oldest job that is not settled was accepted.
SELECT min(accepted_at) FROM contents
WHERE seq = (SELECT min(seq) FROM jobs INDEXED BY unsettled WHERE state IN (0, 1, 2, 3, 4));
