-- The statements of those who look at the database from outside: `view.py`, `check.py`. Same conventions as in
-- postgres.sql.

-- name: listed
-- Row numbers that pass a filter. /*order*/ is ASC or DESC. $1 account, $2 states, $3 after, $4 before, $5 keys, $6 worker,
-- $7 day, $8 since, $9 error, $10 text, $11 beginning of the error of dead rows that are left out (NULL lets every row pass),
-- $12 whether only newest versions, $13 limit, $14 the states again when confirmed is not one of them. It is planned anew with its values each time, so that what is not asked for
-- costs nothing.
SELECT j.seq FROM dispatcher.jobs AS j JOIN dispatcher.contents AS c ON c.seq = j.seq
WHERE j.account = $1 AND c.account = $1 AND j.state = ANY ($2::smallint[]) AND j.seq > $3 AND j.seq < $4
AND ($5::text[] IS NULL OR c.key = ANY ($5))
AND ($6::text IS NULL OR j.worker = $6)
AND ($7::integer IS NULL OR c.day = $7)
AND ($8::double precision IS NULL OR j.updated_at >= $8)
AND ($9::text IS NULL OR strpos(lower(j.error), lower($9)) > 0)
AND ($10::text IS NULL OR strpos(lower(c.key), lower($10)) > 0)
AND ($11::text IS NULL OR NOT starts_with(j.error, $11) OR j.state <> 7)
AND ($14::smallint[] IS NULL OR j.queue = ANY ($14) OR j.owner <> 0)
AND (NOT $12::boolean OR NOT EXISTS (
    SELECT 1 FROM dispatcher.contents AS n WHERE n.account = c.account AND n.key = c.key AND n.version > c.version
))
ORDER BY j.seq /*order*/ LIMIT $13;

-- name: versions
-- The rows of a key, oldest version first. $1 account, $2 key
SELECT seq FROM dispatcher.contents WHERE account = $1 AND key = $2 ORDER BY version;

-- name: last_seq
SELECT coalesce(max(seq), 0) FROM dispatcher.jobs;

-- name: tallied
-- Rows per account and state, as the counters say.
SELECT account, state, sum(rows)::bigint FROM dispatcher.tallies GROUP BY account, state;

-- name: counted
-- Rows per account and state, as they are: one full scan.
SELECT account, state, count(*) FROM dispatcher.jobs GROUP BY account, state;

-- name: oldest_waiting
-- When the oldest unsettled job of an account was accepted. $1 account
SELECT accepted_at FROM dispatcher.contents WHERE seq = least(
    (SELECT min(seq) FROM dispatcher.jobs WHERE account = $1 AND queue <= 4),
    (SELECT min(seq) FROM dispatcher.jobs WHERE account = $1 AND owner <> 0)
);

-- name: prunable_rows
-- How many rows `prune` would delete. $1 no change since
SELECT count(*) FROM dispatcher.jobs AS j JOIN dispatcher.contents AS c ON c.seq = j.seq
WHERE j.seq < (SELECT max(seq) FROM dispatcher.jobs) AND j.state >= 5 AND j.updated_at < $1
AND (c.version = 1 OR NOT EXISTS (
    SELECT 1 FROM dispatcher.contents AS older JOIN dispatcher.jobs AS o ON o.seq = older.seq
    WHERE older.account = c.account AND older.key = c.key AND older.version < c.version
    AND (o.state <= 4 OR o.updated_at >= $1)
));

-- name: sizes
-- Bytes of each table with its indexes, and the share of its rows that are dead and not yet cleared away.
SELECT relname, pg_total_relation_size(relid), n_live_tup, n_dead_tup FROM pg_stat_user_tables
WHERE schemaname = 'dispatcher' ORDER BY relname;

-- name: outbox_waiting
-- What backends have enqueued and nobody has taken up: account, jobs, seconds that the oldest has waited.
SELECT account, count(*), extract(epoch FROM clock_timestamp() - min(enqueued_at))::double precision
FROM dispatcher.outbox GROUP BY account ORDER BY account;

-- name: wrong_content
-- Rows whose state has no content, or that of another account or version.
SELECT j.seq FROM dispatcher.jobs AS j LEFT JOIN dispatcher.contents AS c ON c.seq = j.seq
WHERE c.seq IS NULL OR c.account <> j.account OR c.version <> j.version
OR j.account NOT IN (SELECT id FROM dispatcher.accounts);

-- name: wrong_state
-- Contents without a state, and states that no number stands for.
SELECT c.seq FROM dispatcher.contents AS c LEFT JOIN dispatcher.jobs AS j ON j.seq = c.seq
WHERE j.seq IS NULL OR j.state NOT BETWEEN 0 AND 7;

-- name: bodies
-- Bodies of accepted jobs, to be compared with their keys; a job that was refused at the outbox is as it came.
-- $1 after, $2 limit
SELECT c.seq, c.key, c.body FROM dispatcher.contents AS c JOIN dispatcher.jobs AS j ON j.seq = c.seq
WHERE c.seq > $1 AND (j.state <> 6 OR j.attempts > 0) ORDER BY c.seq LIMIT $2;

-- name: wrong_pair
-- Versions that are under way (2 sending, 3 unknown) together with an older one of their key.
SELECT c.seq FROM dispatcher.jobs AS j JOIN dispatcher.contents AS c ON c.seq = j.seq
WHERE j.state IN (2, 3) AND j.version > 1 AND EXISTS (
    SELECT 1 FROM dispatcher.contents AS older JOIN dispatcher.jobs AS o ON o.seq = older.seq AND o.state IN (2, 3)
    WHERE older.account = c.account AND older.key = c.key AND older.version < c.version
);

-- name: wrong_owner
-- Rows that are being sent by nobody, that name a node which is not even remembered, or that are settled and yet somebody's.
SELECT j.seq FROM dispatcher.jobs AS j WHERE j.owner = 0 AND j.state = 2
OR j.owner <> 0 AND (j.state >= 5 OR j.owner NOT IN (SELECT id FROM dispatcher.nodes));

-- name: roster
-- Nodes that are there, and those that went within $1 seconds and have not come back under their name. One that has left
-- says when it did; if it did not listen anywhere, it was a command, and nobody misses it.
SELECT n.id, n.name, n.host, n.pid, n.program, n.address, n.knows_version,
    extract(epoch FROM coalesce(t.gone_at, clock_timestamp()) - n.started_at)::double precision AS up_s,
    n.lease_s,
    CASE WHEN t.gone_at IS NULL THEN extract(epoch FROM n.deadline - clock_timestamp())::double precision END AS left_s,
    extract(epoch FROM clock_timestamp() - t.gone_at)::double precision AS gone_s,
    t.left_at IS NOT NULL AS in_order,
    n.report::text AS report
FROM dispatcher.nodes AS n
CROSS JOIN LATERAL (SELECT to_timestamp((n.report ->> 'left_at')::double precision) AS left_at) AS l
CROSS JOIN LATERAL (SELECT l.left_at, coalesce(l.left_at, n.ended_at) AS gone_at) AS t
WHERE CASE WHEN t.gone_at IS NULL THEN n.deadline > 'epoch' ELSE
    t.gone_at > clock_timestamp() - make_interval(secs => $1::double precision)
    AND (t.left_at IS NULL OR n.address <> '')
    AND NOT EXISTS (SELECT 1 FROM dispatcher.nodes AS newer WHERE newer.name = n.name AND newer.id > n.id)
END
ORDER BY n.name, n.id;

-- name: all_leaders
-- Which node assigns for which account, whether it still lives or not.
SELECT account, node, term, extract(epoch FROM clock_timestamp() - since)::double precision
FROM dispatcher.leaders ORDER BY account;
