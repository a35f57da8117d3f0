-- The statements of the PostgreSQL spool. One block per statement: "-- name: NAME", what it is for, the statement.
--
-- States are the small integers of the SQLite spool: 0 accepted, 1 assigned, 2 sending, 3 unknown, 4 held, 5 confirmed,
-- 6 rejected, 7 dead; up to 4 is unsettled. Times of jobs are Unix seconds from the dispatcher's clock, 0 is "none"; leases
-- go by the database's clock alone. Lists come in as arrays. Conditions such as "state <= 4" beside "state = $2" are
-- there for the planner: they prove that a partial index holds the rows.
-- Every statement names its schema and none needs a session: no SET, no session lock, no temporary table.

-- name: version_table
-- Which steps were taken, and the oldest program (by the version it knows) that can work with the result.
CREATE SCHEMA IF NOT EXISTS dispatcher;
CREATE TABLE IF NOT EXISTS dispatcher.schema_versions (
    version integer PRIMARY KEY,
    name text NOT NULL,
    works_with integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: schema_1
-- contents: what a job is, written once. jobs: where it is, rewritten at every move and therefore narrow. A claim writes
-- owner alone, which is in no index, so that it stays within its page (HOT); hence the room that fillfactor leaves.
-- owner is the fencing number of the node that works on the row: its lease is the node's, 0 is nobody.
-- tallies: rows per state as each node has changed them, so that no two nodes wait for one counter. A sum tells the count.
CREATE TABLE dispatcher.accounts (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE dispatcher.nodes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    knows_version integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline timestamptz NOT NULL,
    ended_at timestamptz,
    written bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE UNIQUE INDEX nodes_by_name ON dispatcher.nodes (name) WHERE ended_at IS NULL;

CREATE SEQUENCE dispatcher.seqs AS bigint;

CREATE TABLE dispatcher.contents (
    seq bigint PRIMARY KEY,
    account integer NOT NULL,
    version integer NOT NULL,
    switches smallint NOT NULL,
    day integer NOT NULL,
    priority smallint NOT NULL,
    accepted_at double precision NOT NULL,
    worker text,
    key text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    body bytea NOT NULL
);

CREATE UNIQUE INDEX contents_by_key ON dispatcher.contents (account, key, version);

CREATE TABLE dispatcher.jobs (
    seq bigint PRIMARY KEY,
    account integer NOT NULL,
    version integer NOT NULL,
    state smallint NOT NULL DEFAULT 0,
    owner bigint NOT NULL DEFAULT 0,
    next_at double precision NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    refusals integer NOT NULL DEFAULT 0,
    sent_at double precision NOT NULL DEFAULT 0,
    settle_by double precision NOT NULL DEFAULT 0,
    updated_at double precision NOT NULL,
    autoassign boolean NOT NULL DEFAULT false,
    worker text,
    remote_id text,
    error text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT ''
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX unsettled ON dispatcher.jobs (account, state, next_at, seq) WHERE state <= 4;

CREATE INDEX failed ON dispatcher.jobs (account, state, seq) WHERE state >= 6;

CREATE TABLE dispatcher.tallies (
    node bigint NOT NULL,
    account integer NOT NULL,
    state smallint NOT NULL,
    rows bigint NOT NULL,
    PRIMARY KEY (node, account, state)
) WITH (fillfactor = 50);

CREATE TABLE dispatcher.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    switches smallint NOT NULL,
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    job jsonb NOT NULL
);

CREATE INDEX outbox_by_account ON dispatcher.outbox (account, id);

CREATE FUNCTION dispatcher.enqueue(
    account text,
    jobs jsonb,
    autoassign boolean DEFAULT false,
    send_route_change boolean DEFAULT false,
    is_template boolean DEFAULT false
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    stored integer;
BEGIN
    IF account IS NULL OR account = '' THEN
        RAISE EXCEPTION 'dispatcher.enqueue: account is empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jobs IS NULL OR jsonb_typeof(jobs) NOT IN ('array', 'object') THEN
        RAISE EXCEPTION 'dispatcher.enqueue: jobs must be an array of jobs, or one job'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO dispatcher.outbox (account, switches, job)
    SELECT enqueue.account, autoassign::integer + 2 * send_route_change::integer + 4 * is_template::integer, one.job
    FROM jsonb_array_elements(CASE jsonb_typeof(jobs) WHEN 'array' THEN jobs ELSE jsonb_build_array(jobs) END)
        WITH ORDINALITY AS one (job, place)
    ORDER BY one.place;
    GET DIAGNOSTICS stored = ROW_COUNT;
    PERFORM pg_notify('dispatcher', account);
    RETURN stored;
END
$function$;

REVOKE ALL ON FUNCTION dispatcher.enqueue(text, jsonb, boolean, boolean, boolean) FROM PUBLIC;

-- name: schema_2
-- leaders: which node assigns for an account. It leads for as long as it lives; term counts the leaders. 0 is nobody, and so
-- is a number below zero: that node has resigned.
-- nodes: how long the lease of each is, what its program is, where it listens, and what it tells of itself at every beat.
CREATE TABLE dispatcher.leaders (
    account text PRIMARY KEY,
    node bigint NOT NULL,
    term bigint NOT NULL DEFAULT 1,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

ALTER TABLE dispatcher.nodes
    ADD COLUMN lease_s double precision NOT NULL DEFAULT 15,
    ADD COLUMN program text NOT NULL DEFAULT '',
    ADD COLUMN address text NOT NULL DEFAULT '',
    ADD COLUMN report jsonb NOT NULL DEFAULT '{}';

-- name: schema_4
-- queue: the state of a row that nobody works on and somebody may look for; NULL while a node has it in hand and once it is
-- confirmed. The moves of a row in hand change no index, and stay within its page (HOT): hence more room there. A program
-- of before goes on, with claims that read the whole table: do not leave it beside newer ones for long.
ALTER TABLE dispatcher.jobs ADD COLUMN queue smallint
    GENERATED ALWAYS AS (CASE WHEN state >= 6 OR owner = 0 AND state <= 4 THEN state END) STORED;
CREATE INDEX queues ON dispatcher.jobs (account, queue, next_at, seq) WHERE queue IS NOT NULL;
CREATE INDEX in_hand ON dispatcher.jobs (owner, seq) WHERE owner <> 0;
DROP INDEX dispatcher.unsettled;
DROP INDEX dispatcher.failed;
ALTER TABLE dispatcher.jobs SET (fillfactor = 50);

-- name: is_there
SELECT to_regclass('dispatcher.schema_versions') IS NOT NULL, to_regnamespace('dispatcher') IS NOT NULL;

-- name: schema_version
-- The newest step, and the oldest program that can work with all of them.
SELECT coalesce(max(version), 0), coalesce(max(works_with), 0) FROM dispatcher.schema_versions;

-- name: one_migrates
-- Whoever else migrates waits until this transaction ends. Not a session lock.
SELECT pg_advisory_xact_lock(7308327912442945616);

-- name: add_version
INSERT INTO dispatcher.schema_versions (version, name, works_with) VALUES ($1, $2, $3);

-- name: register
-- A node comes: $1 name, $2 host, $3 process, $4 version it knows, $5 seconds of the lease, $6 program, $7 address. Its number
-- is the fencing number.
INSERT INTO dispatcher.nodes (name, host, pid, knows_version, deadline, lease_s, program, address)
VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5::double precision), $5, $6, $7) RETURNING id;

-- name: name_in_use
-- Who has a name, and whether the lease still runs. $1 name
SELECT id, host, pid, deadline > clock_timestamp() AS living FROM dispatcher.nodes WHERE name = $1 AND ended_at IS NULL;

-- name: fence
-- The first statement of every write: the node lives, its lease begins anew, and the write has a number. No row: it was
-- ended, and nothing that it holds is its own any more. $1 node, $2 number of the write, $3 seconds of the lease. A process
-- that stops in the middle of the transaction loses it after the lease, and with it the hold on its row. The
-- statements of the transaction are planned for any size of the tables: one that was planned while they were nearly empty
-- would go over all of them a minute later.
WITH guard AS MATERIALIZED (
    SELECT set_config('idle_in_transaction_session_timeout', ceil($3::double precision * 1000)::text, true),
        set_config('enable_seqscan', 'off', true), set_config('enable_memoize', 'off', true),
        set_config('plan_cache_mode', 'force_generic_plan', true)
)
UPDATE dispatcher.nodes AS n
SET written = $2, deadline = clock_timestamp() + make_interval(secs => $3::double precision)
FROM guard WHERE n.id = $1 AND n.ended_at IS NULL RETURNING n.id;

-- name: last_write
-- What became of a commit whose answer was lost; waits for it when it is still under way. $1 node
SELECT written FROM dispatcher.nodes WHERE id = $1 FOR UPDATE;

-- name: leave
-- A node goes: whoever looks next ends it. $1 node
UPDATE dispatcher.nodes
SET deadline = 'epoch', report = jsonb_build_object('left_at', extract(epoch FROM clock_timestamp()))
WHERE id = $1 AND ended_at IS NULL;

-- name: tell
-- What a node tells of itself. $1 node, $2 program, $3 address, $4 a JSON object
UPDATE dispatcher.nodes SET program = $2, address = $3, report = $4::jsonb WHERE id = $1;

-- name: end_named
-- End the earlier life of a node. $1 name
UPDATE dispatcher.nodes SET ended_at = clock_timestamp() WHERE name = $1 AND ended_at IS NULL RETURNING id;

-- name: end_expired
-- End nodes whose lease has run out for $1 seconds; one that is writing this very moment is passed over.
UPDATE dispatcher.nodes SET ended_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM dispatcher.nodes
    WHERE ended_at IS NULL AND deadline < clock_timestamp() - make_interval(secs => $1::double precision)
    ORDER BY id FOR UPDATE SKIP LOCKED
)
RETURNING id;

-- name: living
-- Nodes that neither were ended nor have left, for how long their lease still runs, and for how long they are there (s).
SELECT id, name, extract(epoch FROM deadline - clock_timestamp())::double precision AS left_s,
    extract(epoch FROM clock_timestamp() - started_at)::double precision AS up_s
FROM dispatcher.nodes WHERE ended_at IS NULL AND deadline > 'epoch';

-- name: cut_stuck
-- A node whose lease has run out while it holds its row has stopped in the middle of a write. Between two statements a time-out
-- of the server ends that; where the server waits for the rest of one (COPY, or what is to be executed), nothing does. So the
-- session is cut off, and the next look ends the node. One that is slow because the database is does not wait for its client.
SELECT pg_terminate_backend(a.pid) FROM dispatcher.nodes AS n
JOIN pg_locks AS l ON l.locktype = 'transactionid' AND l.granted AND l.transactionid = n.xmax
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE n.ended_at IS NULL AND n.deadline < clock_timestamp() AND a.pid <> pg_backend_pid()
AND a.wait_event = 'ClientRead' AND a.usename = current_user;

-- name: leads
-- Who leads these accounts, its name while it lives, and for how long nobody does. $1 accounts
SELECT l.account, l.node, l.term, CASE WHEN v.since IS NULL THEN n.name END,
    coalesce(extract(epoch FROM clock_timestamp() - v.since), 0)::double precision
FROM dispatcher.leaders AS l LEFT JOIN dispatcher.nodes AS n ON n.id = l.node
CROSS JOIN LATERAL (
    SELECT CASE WHEN l.node <= 0 THEN l.since WHEN n.id IS NULL THEN 'epoch' ELSE n.ended_at END AS since
) AS v
WHERE l.account = ANY ($1::text[]);

-- name: add_leaders
-- Accounts that were never led. $1 accounts
INSERT INTO dispatcher.leaders (account, node, term) SELECT a.account, 0, 0 FROM unnest($1::text[]) AS a (account)
ON CONFLICT (account) DO NOTHING;

-- name: lock_leaders
-- Before they are judged. $1 accounts
SELECT account FROM dispatcher.leaders WHERE account = ANY ($1::text[]) ORDER BY account FOR UPDATE;

-- name: take_over
-- Lead the accounts that nobody leads. Their rows are locked, so that a leader that was faster is seen. $1 this node,
-- $2 accounts
UPDATE dispatcher.leaders AS l SET node = $1, term = l.term + 1, since = clock_timestamp()
WHERE l.account = ANY ($2::text[])
AND NOT EXISTS (SELECT 1 FROM dispatcher.nodes AS n WHERE n.id = l.node AND n.ended_at IS NULL);

-- name: resign
-- Lead no longer, but for some accounts. The number stays, below zero: it is not this node's turn next. $1 this node,
-- $2 accounts that it keeps
UPDATE dispatcher.leaders SET node = -node, since = clock_timestamp() WHERE node = $1 AND account <> ALL ($2::text[]);

-- name: abandoned
-- What ended nodes were sending may have arrived: nobody knows. What else they had in hand is nobody's. All that ever ended
-- are asked for each time: a claim may have been under way when its node was. $1 now. Account, rows that became unknown.
WITH old AS MATERIALIZED (
    SELECT j.seq, j.state FROM dispatcher.nodes AS n JOIN dispatcher.jobs AS j ON j.owner = n.id AND j.owner <> 0
    WHERE n.ended_at IS NOT NULL ORDER BY j.seq FOR UPDATE OF j
), gone AS (
    UPDATE dispatcher.jobs AS j SET
        owner = 0,
        state = CASE old.state WHEN 2 THEN 3 ELSE old.state END,
        next_at = CASE old.state WHEN 2 THEN 0 ELSE j.next_at END,
        updated_at = CASE old.state WHEN 2 THEN $1 ELSE j.updated_at END
    FROM old WHERE j.seq = old.seq
    RETURNING j.account, old.state
)
SELECT account, count(*) FROM gone WHERE state = 2 GROUP BY account;

-- name: inherit
-- The tallies of ended nodes go to node 0. $1 nodes
WITH gone AS (
    DELETE FROM dispatcher.tallies WHERE node = ANY ($1::bigint[]) RETURNING account, state, rows
)
INSERT INTO dispatcher.tallies AS t (node, account, state, rows)
SELECT 0, account, state, sum(rows) FROM gone GROUP BY account, state
ON CONFLICT (node, account, state) DO UPDATE SET rows = t.rows + excluded.rows;

-- name: forget_nodes
-- Nodes that ended long ago; a lost answer is not asked for that late. $1 seconds
DELETE FROM dispatcher.nodes WHERE ended_at < clock_timestamp() - make_interval(secs => $1::double precision);

-- name: all_nodes
-- Those that neither were ended nor have left.
SELECT id, name, host, pid, knows_version, extract(epoch FROM clock_timestamp() - started_at)::double precision,
    extract(epoch FROM deadline - clock_timestamp())::double precision
FROM dispatcher.nodes WHERE ended_at IS NULL AND deadline > 'epoch' ORDER BY name;

-- name: all_accounts
SELECT id, name FROM dispatcher.accounts ORDER BY id;

-- name: add_account
INSERT INTO dispatcher.accounts (name) VALUES ($1) ON CONFLICT (name) DO NOTHING;

-- name: account_id
SELECT id FROM dispatcher.accounts WHERE name = $1;

-- name: newest
-- The newest version of each of these keys, and for a key that is not there a row number. $1 account, $2 keys
SELECT k.key, c.seq, c.version, c.digest, j.state, CASE WHEN c.seq IS NULL THEN nextval('dispatcher.seqs') END
FROM unnest($2::text[]) AS k (key)
LEFT JOIN LATERAL (
    SELECT n.seq, n.version, n.digest FROM dispatcher.contents AS n
    WHERE n.account = $1 AND n.key = k.key ORDER BY n.version DESC LIMIT 1
) AS c ON true
LEFT JOIN dispatcher.jobs AS j ON j.seq = c.seq;

-- name: present
-- Which of these versions are there, and with which content. $1 accounts, $2 keys, $3 versions
SELECT c.account, c.key, c.version, c.digest
FROM unnest($1::integer[], $2::text[], $3::integer[]) AS v (account, key, version)
JOIN dispatcher.contents AS c ON c.account = v.account AND c.key = v.key AND c.version = v.version;

-- name: new_seqs
SELECT nextval('dispatcher.seqs') FROM generate_series(1, $1::integer);

-- name: unsettled_rows
-- As the counters say. $1 account
SELECT coalesce(sum(rows), 0)::bigint FROM dispatcher.tallies WHERE account = $1 AND state <= 4;

-- name: count_moves
-- $1 node, $2 accounts, $3 states, $4 rows
INSERT INTO dispatcher.tallies AS t (node, account, state, rows)
SELECT $1, * FROM unnest($2::integer[], $3::smallint[], $4::bigint[])
ON CONFLICT (node, account, state) DO UPDATE SET rows = t.rows + excluded.rows;

-- name: counts
-- $1 account
SELECT state, sum(rows)::bigint FROM dispatcher.tallies WHERE account = $1 GROUP BY state;

-- name: counts_of
-- $1 accounts by name
SELECT a.name, t.state, sum(t.rows)::bigint FROM dispatcher.accounts AS a
JOIN dispatcher.tallies AS t ON t.account = a.id
WHERE a.name = ANY ($1::text[]) GROUP BY a.name, t.state;

-- name: move
-- $1 to, $2 now, $3 next_at, $4 new owner, $5 attempts to add, $6 refusals to add, $7 autoassign, $8 sent_at, $9 settle_by,
-- $10 error (the last four: NULL leaves the column), $11 expected states, $12 rows, $13 the node each was claimed as (0: it
-- was not), $14 this node, $15 whether workers are written, $16 workers, $17 remote ids, $18 notes (NULL leaves those two).
-- A claimed row must still be claimed as that node, one that was not must be nobody's. While it waits to be sent a person may
-- take it back from whoever has it in hand. Of ended nodes nothing is left, whichever way they held it.
WITH alive AS MATERIALIZED (
    SELECT coalesce(array_agg(id), '{}') AS ids, coalesce(max(id), 0) AS newest
    FROM dispatcher.nodes WHERE ended_at IS NULL
), given AS MATERIALIZED (
    SELECT * FROM unnest($12::bigint[], $13::bigint[], $16::text[], $17::text[], $18::text[])
        AS v (seq, claimed_as, worker, remote_id, note)
), old AS MATERIALIZED (
    SELECT j.seq, j.state, v.worker, v.remote_id, v.note
    FROM given AS v JOIN dispatcher.jobs AS j ON j.seq = v.seq
    WHERE j.state = ANY ($11::smallint[])
    AND ($1 = 7 AND j.state IN (0, 1, 4) OR CASE v.claimed_as
        WHEN 0 THEN j.owner <= (SELECT newest FROM alive) AND j.owner <> ALL ((SELECT ids FROM alive)::bigint[])
        ELSE j.owner = v.claimed_as AND v.claimed_as = $14
    END)
    ORDER BY j.seq FOR UPDATE OF j
), moved AS (
    UPDATE dispatcher.jobs AS j SET
        state = $1::smallint, updated_at = $2, next_at = $3, owner = $4,
        attempts = j.attempts + $5, refusals = j.refusals + $6,
        autoassign = coalesce($7::boolean, j.autoassign), sent_at = coalesce($8::double precision, j.sent_at),
        settle_by = coalesce($9::double precision, j.settle_by), error = coalesce($10::text, j.error),
        worker = CASE WHEN $15::boolean THEN old.worker ELSE j.worker END,
        remote_id = coalesce(old.remote_id, j.remote_id), note = coalesce(old.note, j.note)
    FROM old WHERE j.seq = old.seq
    RETURNING j.seq, j.account, old.state
)
SELECT account, state, array_agg(seq) FROM moved GROUP BY account, state;

-- name: move_held
-- The ordinary moves: rows that this node has in hand, those of a change all in one state. Of each change: $1 to, $2 now,
-- $3 next_at, $4 new owner, $5 attempts to add, $6 refusals to add, $7 autoassign, $8 sent_at, $9 settle_by, $10 error (NULL
-- leaves these four), $11 the state, $12 whether workers are written. $13 this node, $14 rows, $15 the change of each, $16 workers,
-- $17 remote ids, $18 notes (NULL leaves these two; a column without any value may be empty). Fewer rows than were given: one is
-- not as the node knew it, and move must look closer. IS TRUE keeps the planner from reading all that the node has in hand.
UPDATE dispatcher.jobs AS j SET
    state = ($1::smallint[])[v.change], updated_at = ($2::double precision[])[v.change],
    next_at = ($3::double precision[])[v.change], owner = ($4::bigint[])[v.change],
    attempts = j.attempts + ($5::integer[])[v.change], refusals = j.refusals + ($6::integer[])[v.change],
    autoassign = coalesce(($7::boolean[])[v.change], j.autoassign),
    sent_at = coalesce(($8::double precision[])[v.change], j.sent_at),
    settle_by = coalesce(($9::double precision[])[v.change], j.settle_by),
    error = coalesce(($10::text[])[v.change], j.error),
    worker = CASE WHEN ($12::boolean[])[v.change] THEN v.worker ELSE j.worker END,
    remote_id = coalesce(v.remote_id, j.remote_id), note = coalesce(v.note, j.note)
FROM unnest($14::bigint[], $15::integer[], $16::text[], $17::text[], $18::text[])
    AS v (seq, change, worker, remote_id, note)
WHERE j.seq = v.seq AND j.state = ($11::smallint[])[v.change] AND (j.owner = $13) IS TRUE;

-- name: still_held
-- Which of these rows this node has in hand. $1 this node, $2 rows
SELECT seq FROM dispatcher.jobs WHERE seq = ANY ($2::bigint[]) AND (owner = $1) IS TRUE;

-- name: claim
-- Due rows that are nobody's, oldest first: those that never waited, and those whose time has come. A row whose key has an
-- older version under way is passed over. $1 this node, $2 account, $3 states, $4 now, $5 limit. Claims are not waited for
-- until they are on disk: one that a power failure undoes is found out by the next write.
WITH quiet AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), found AS MATERIALIZED (
    SELECT f.seq FROM quiet CROSS JOIN unnest($3::smallint[]) AS s (state) CROSS JOIN LATERAL (
        SELECT j.seq FROM dispatcher.jobs AS j
        WHERE j.account = $2 AND j.queue = s.state AND j.state <= 4 AND j.next_at = 0
        AND (j.version = 1 OR NOT EXISTS (
            SELECT 1 FROM dispatcher.contents AS mine
            JOIN dispatcher.contents AS older
            ON older.account = mine.account AND older.key = mine.key AND older.version < mine.version
            JOIN dispatcher.jobs AS o ON o.seq = older.seq AND o.state <= 4
            WHERE mine.seq = j.seq
        ))
        ORDER BY j.seq LIMIT $5 FOR UPDATE OF j SKIP LOCKED
    ) AS f
    UNION ALL
    SELECT f.seq FROM unnest($3::smallint[]) AS s (state) CROSS JOIN LATERAL (
        SELECT j.seq FROM dispatcher.jobs AS j
        WHERE j.account = $2 AND j.queue = s.state AND j.state <= 4 AND j.next_at > 0 AND j.next_at <= $4
        AND (j.version = 1 OR NOT EXISTS (
            SELECT 1 FROM dispatcher.contents AS mine
            JOIN dispatcher.contents AS older
            ON older.account = mine.account AND older.key = mine.key AND older.version < mine.version
            JOIN dispatcher.jobs AS o ON o.seq = older.seq AND o.state <= 4
            WHERE mine.seq = j.seq
        ))
        ORDER BY j.seq LIMIT $5 FOR UPDATE OF j SKIP LOCKED
    ) AS f
), taken AS (
    UPDATE dispatcher.jobs AS j SET owner = $1
    FROM (SELECT seq FROM found ORDER BY seq LIMIT $5) AS chosen
    WHERE j.seq = chosen.seq AND EXISTS (SELECT 1 FROM dispatcher.nodes AS n WHERE n.id = $1 AND n.ended_at IS NULL)
    RETURNING j.seq, j.state, j.worker, j.autoassign, j.attempts, j.sent_at, j.settle_by, j.refusals
)
SELECT j.seq, c.key, c.version, c.body, c.switches, c.day, c.priority, j.state, j.worker, c.worker IS NOT NULL,
    j.autoassign, j.attempts, j.sent_at, j.settle_by, j.refusals
FROM taken AS j JOIN dispatcher.contents AS c ON c.seq = j.seq
ORDER BY j.seq;

-- name: release
-- Give claimed rows back. $1 this node, $2 rows
UPDATE dispatcher.jobs SET owner = 0 WHERE seq = ANY ($2::bigint[]) AND (owner = $1) IS TRUE AND state <> 2;

-- name: release_others
-- Give back what a claim has taken whose answer was lost: all that this node does not know of. What is being sent was moved
-- by a write, not by a claim. $1 this node, $2 rows that it knows of
UPDATE dispatcher.jobs SET owner = 0
WHERE owner = $1 AND owner <> 0 AND state <> 2 AND seq <> ALL ($2::bigint[]);

-- name: next_due
-- The earliest later time of a row that is nobody's. $1 account, $2 states, $3 now
SELECT min(f.next_at) FROM unnest($2::smallint[]) AS s (state) CROSS JOIN LATERAL (
    SELECT j.next_at FROM dispatcher.jobs AS j
    WHERE j.account = $1 AND j.queue = s.state AND j.next_at > $3
    ORDER BY j.next_at LIMIT 1
) AS f;

-- name: spooled
-- Rows as jobs to work on. $1 account, $2 rows
SELECT j.seq, c.key, c.version, c.body, c.switches, c.day, c.priority, j.state, j.worker, c.worker IS NOT NULL,
    j.autoassign, j.attempts, j.sent_at, j.settle_by, j.refusals
FROM dispatcher.jobs AS j JOIN dispatcher.contents AS c ON c.seq = j.seq
WHERE j.account = $1 AND j.seq = ANY ($2::bigint[])
ORDER BY j.seq;

-- name: pulse
-- From when on each of these accounts has a row that is nobody's in each of these states (the place in the list, from 1);
-- place 0: something is enqueued for it. $1 accounts by name, $2 states
SELECT a.name, s.place, f.next_at
FROM dispatcher.accounts AS a
CROSS JOIN unnest($2::smallint[]) WITH ORDINALITY AS s (state, place)
CROSS JOIN LATERAL (
    SELECT j.next_at FROM dispatcher.jobs AS j
    WHERE j.account = a.id AND j.queue = s.state ORDER BY j.next_at LIMIT 1
) AS f
WHERE a.name = ANY ($1::text[])
UNION ALL
SELECT n.name, 0, 0 FROM unnest($1::text[]) AS n (name)
WHERE EXISTS (SELECT 1 FROM dispatcher.outbox AS o WHERE o.account = n.name);

-- name: open_seqs
-- Rows in some states but confirmed in order of seq: those that are nobody's and those that a node has in hand. $1 account,
-- $2 states, $3 after, $4 limit
WITH in_hand AS MATERIALIZED (
    SELECT j.seq FROM dispatcher.jobs AS j
    WHERE j.owner <> 0 AND j.account = $1 AND j.state = ANY ($2::smallint[]) AND j.seq > $3
)
SELECT f.seq FROM unnest($2::smallint[]) AS s (state) CROSS JOIN LATERAL (
    (
        SELECT j.seq FROM dispatcher.jobs AS j
        WHERE j.account = $1 AND j.queue = s.state AND j.next_at = 0 AND j.seq > $3
        ORDER BY j.seq LIMIT $4
    )
    UNION ALL
    (
        SELECT j.seq FROM dispatcher.jobs AS j
        WHERE j.account = $1 AND j.queue = s.state AND j.next_at > 0 AND j.seq > $3
        ORDER BY j.seq LIMIT $4
    )
) AS f
UNION ALL
SELECT seq FROM in_hand
ORDER BY seq LIMIT $4;

-- name: all_seqs
-- Rows in any of some states in order of seq, along the table. $1 account, $2 states, $3 after, $4 limit
SELECT seq FROM dispatcher.jobs
WHERE seq > $3 AND account = $1 AND state = ANY ($2::smallint[])
ORDER BY seq LIMIT $4;

-- name: seq_of
-- A key's version, or its newest. $1 account, $2 key, $3 version or NULL
SELECT seq FROM dispatcher.contents
WHERE account = $1 AND key = $2 AND version = coalesce($3::integer, version)
ORDER BY version DESC LIMIT 1;

-- name: receipts
-- $1 account, $2 rows
SELECT c.key, c.version, j.seq, j.state, j.worker, c.worker IS NOT NULL, j.autoassign, c.day, c.priority,
    j.remote_id, j.attempts, j.next_at, j.error, j.note, c.accepted_at, j.updated_at,
    j.refusals, j.sent_at, j.settle_by, c.switches
FROM dispatcher.jobs AS j JOIN dispatcher.contents AS c ON c.seq = j.seq
WHERE j.account = $1 AND j.seq = ANY ($2::bigint[])
ORDER BY j.seq;

-- name: through
-- Which of these rows are settled or held. $1 account, $2 rows
SELECT seq FROM dispatcher.jobs WHERE seq = ANY ($2::bigint[]) AND account = $1 AND state >= 4;

-- name: bodies
-- $1 account, $2 rows
SELECT seq, body FROM dispatcher.contents WHERE account = $1 AND seq = ANY ($2::bigint[]);

-- name: row_window
-- The last of the $2 rows after row $1, NULL when there are none, and when the first of them was accepted.
SELECT max(w.seq), (SELECT accepted_at FROM dispatcher.contents WHERE seq > $1 ORDER BY seq LIMIT 1)
FROM (SELECT seq FROM dispatcher.jobs WHERE seq > $1 ORDER BY seq LIMIT $2) AS w;

-- name: prune
-- Delete settled rows without a change since $1, from behind row $2 to row $5, at most $3, of account $4 (NULL: all). The
-- last row stays, and no version goes before an older one, so that the newest version of a key is always the one that is
-- compared with. The contents of the rows are dropped after them, see there.
WITH old AS MATERIALIZED (
    SELECT j.seq FROM dispatcher.jobs AS j
    JOIN dispatcher.contents AS c ON c.seq = j.seq
    WHERE j.seq > $2 AND j.seq <= $5 AND j.seq < (SELECT max(seq) FROM dispatcher.jobs)
    AND j.state >= 5 AND j.updated_at < $1 AND ($4::integer IS NULL OR j.account = $4)
    AND (c.version = 1 OR NOT EXISTS (
        SELECT 1 FROM dispatcher.contents AS older JOIN dispatcher.jobs AS o ON o.seq = older.seq
        WHERE older.account = c.account AND older.key = c.key AND older.version < c.version
        AND (o.state <= 4 OR o.updated_at >= $1)
    ))
    ORDER BY j.seq LIMIT $3 FOR UPDATE OF j SKIP LOCKED
), gone AS (
    DELETE FROM dispatcher.jobs AS j USING old WHERE j.seq = old.seq RETURNING j.seq, j.account, j.state
)
SELECT account, state, array_agg(seq) FROM gone GROUP BY account, state;

-- name: drop_contents
-- $1 rows
DELETE FROM dispatcher.contents WHERE seq = ANY ($1::bigint[]);

-- name: give_hints
-- In a transaction of their own, because commits that notify wait for one another; and for no disk. $1 hints
WITH quiet AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
)
SELECT pg_notify('dispatcher', h.text) FROM quiet CROSS JOIN unnest($1::text[]) AS h (text);

-- name: outbox_waits
-- Whether something was enqueued for an account. $1 account
SELECT EXISTS (SELECT 1 FROM dispatcher.outbox WHERE account = $1);

-- name: outbox_page
-- What a backend has enqueued for an account, oldest first, each piece to one node. $1 account, $2 limit
SELECT id, switches, job::text, extract(epoch FROM enqueued_at)::double precision FROM dispatcher.outbox
WHERE account = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED;

-- name: outbox_done
-- $1 ids
DELETE FROM dispatcher.outbox WHERE id = ANY ($1::bigint[]);
