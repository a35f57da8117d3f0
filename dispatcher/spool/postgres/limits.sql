-- The limits that all nodes share: one row per account. See "Across daemons" in docs/flow.md. One block per statement, as in
-- postgres.sql.

-- name: schema_3
-- limits: what all nodes together have used of an account's limits. Times are epoch seconds of this database's clock.
-- given: slots ever given. seen_at: the clock at the last change; when it was set back since, everything is moved back with it.
-- round_trip_s: the shortest to the server that a node has told of late, which is since round_trip_at; 0: none.
-- A window is GCRA's: tat is its theoretical arrival time. A late request of slot number n holds up those from n + count on:
-- the slots numbered due[k] and later lie no earlier than floors[k].
-- contacts: the share of every limit that each node may use while it cannot reach the database. heard_at: the newest answer
-- that it is known to have heard; told_at: the newest one that it may have heard; share: the largest one that it may hold;
-- offered: that of the newest. back_at: since when it is in contact again after a silence, 'infinity': it is silent.
CREATE TYPE dispatcher.limit_window AS (
    window_s double precision,
    count integer,
    interval_s double precision,
    burst_s double precision,
    tat double precision,
    named_at double precision,
    due bigint[],
    floors double precision[]
);

CREATE TABLE dispatcher.limits (
    account text PRIMARY KEY,
    given bigint NOT NULL DEFAULT 0,
    seen_at double precision NOT NULL DEFAULT 0,
    blocked_until double precision NOT NULL DEFAULT 0,
    round_trip_s double precision NOT NULL DEFAULT 0,
    round_trip_at double precision NOT NULL DEFAULT 0,
    windows dispatcher.limit_window[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

CREATE TABLE dispatcher.contacts (
    node bigint PRIMARY KEY,
    lease_s double precision NOT NULL,
    quiet_s double precision NOT NULL,
    settle_s double precision NOT NULL,
    share double precision NOT NULL,
    offered double precision NOT NULL,
    heard_at double precision NOT NULL,
    told_at double precision NOT NULL,
    back_at double precision NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION dispatcher.take_slots(
    for_account text,
    window_s double precision[],
    counts integer[],
    interval_s double precision[],
    burst_s double precision[],
    want integer,
    lead_s double precision,
    ahead_s double precision,
    late_window integer[],
    late_number bigint[],
    late_until_s double precision[],
    block_s double precision,
    trip_s double precision,
    OUT clock double precision,
    OUT first bigint,
    OUT slots double precision[],
    OUT given bigint,
    OUT wait_s double precision,
    OUT blocked_s double precision,
    OUT round_trip_s double precision,
    OUT reserved boolean
) LANGUAGE plpgsql AS $function$
DECLARE
    -- what the caller says is relative to when it asked, which was before this
    asked CONSTANT double precision := extract(epoch FROM statement_timestamp());
    remembered_s CONSTANT double precision := 60;
    unnamed_s CONSTANT double precision := 60;
    buckets CONSTANT integer := 8;
    step double precision;
    l dispatcher.limits;
    w dispatcher.limit_window;
    kept dispatcher.limit_window[] := '{}';
    place integer;
    bucket integer;
    due_at bigint;
    lowest bigint;
    floor_at double precision;
    slot double precision;
    away dispatcher.contacts[];
    shares integer[] := '{}';
    changed boolean := block_s > 0 OR cardinality(late_number) > 0;
BEGIN
    slots := '{}';
    wait_s := 0;
    reserved := false;
    IF cardinality(window_s) = 0 AND NOT changed THEN
        SELECT * INTO l FROM dispatcher.limits AS r WHERE r.account = for_account;
        clock := extract(epoch FROM clock_timestamp());
        IF NOT EXISTS (
            SELECT 1 FROM unnest(l.windows) AS one WHERE one.named_at + greatest(one.window_s, unnamed_s) > clock
        ) THEN
            first := coalesce(l.given, 0);
            given := first;
            round_trip_s := 0;
            blocked_s := greatest(0, coalesce(l.blocked_until, 0) - clock);
            IF blocked_s = 0 THEN
                slots := array_fill(lead_s, ARRAY[want]);
            END IF;
            RETURN;
        END IF;
    END IF;

    LOOP
        SELECT * INTO l FROM dispatcher.limits AS r WHERE r.account = for_account FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO dispatcher.limits (account) VALUES (for_account) ON CONFLICT (account) DO NOTHING;
    END LOOP;
    clock := extract(epoch FROM clock_timestamp());
    step := greatest(0, l.seen_at - clock);
    l.blocked_until := greatest(l.blocked_until - step, CASE WHEN block_s > 0 THEN asked + block_s ELSE 0 END);
    IF trip_s > 0 AND (l.round_trip_s = 0 OR trip_s <= l.round_trip_s OR l.round_trip_at - step + remembered_s < clock) THEN
        changed := changed OR trip_s <> l.round_trip_s;
        l.round_trip_s := trip_s;
        l.round_trip_at := clock;
    END IF;
    round_trip_s := l.round_trip_s;
    first := l.given;

    -- the windows that count: those that the caller names, and those that others have named of late
    FOR i IN 1 .. cardinality(l.windows) LOOP
        w := l.windows[i];
        w.tat := w.tat - step;
        w.named_at := w.named_at - step;
        IF step > 0 THEN
            w.floors := ARRAY(SELECT f - step FROM unnest(w.floors) WITH ORDINALITY AS v (f, n) ORDER BY n);
        END IF;
        place := array_position(window_s, w.window_s);
        IF place IS NOT NULL THEN
            w.count := counts[place];
            w.interval_s := interval_s[place];
            w.burst_s := burst_s[place];
            changed := changed OR w.named_at + 1 < clock;
            w.named_at := clock;
        END IF;
        IF w.named_at + greatest(w.window_s, unnamed_s) > clock THEN
            kept := kept || w;
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(window_s) LOOP
        IF NOT EXISTS (SELECT 1 FROM unnest(kept) AS one WHERE one.window_s = take_slots.window_s[i]) THEN
            -- what was sent before is not known: as full as it can be
            kept := kept || ROW(
                window_s[i], counts[i], interval_s[i], burst_s[i], clock + burst_s[i] + interval_s[i], clock, '{}', '{}'
            )::dispatcher.limit_window;
            changed := true;
        END IF;
    END LOOP;

    -- the shares of nodes that may be sending without asking
    SELECT coalesce(array_agg(c), '{}') INTO away FROM dispatcher.contacts AS c
    WHERE c.back_at > clock - 86400 OR c.heard_at + c.quiet_s < clock;
    FOR k IN 1 .. cardinality(kept) LOOP
        w := kept[k];
        shares := shares || (
            SELECT coalesce(sum(floor(w.count * c.share)), 0)::integer FROM unnest(away) AS c
            WHERE c.quiet_s + w.window_s + c.settle_s < c.lease_s
            AND clock < c.told_at + c.lease_s + w.window_s + c.settle_s
            AND (c.heard_at + c.quiet_s < clock OR clock < c.back_at + w.window_s + c.settle_s)
        );
        reserved := reserved OR shares[k] > 0;
    END LOOP;

    -- late requests: a few for each window, of neighbours the one that holds up most
    FOR i IN 1 .. cardinality(late_number) LOOP
        FOR k IN 1 .. cardinality(kept) LOOP
            w := kept[k];
            CONTINUE WHEN w.window_s <> window_s[late_window[i]];
            due_at := greatest(l.given, late_number[i] + w.count - shares[k]);
            floor_at := asked + late_until_s[i] + w.window_s;
            bucket := (w.count + buckets - 1) / buckets;
            place := NULL;
            FOR j IN 1 .. cardinality(w.due) LOOP
                IF w.due[j] / bucket = due_at / bucket THEN
                    place := j;
                END IF;
            END LOOP;
            IF place IS NULL THEN
                w.due := w.due || due_at;
                w.floors := w.floors || floor_at;
            ELSE
                lowest := least(w.due[place], due_at);
                w.floors[place] := greatest(
                    w.floors[place] - (w.due[place] - lowest) * w.interval_s, floor_at - (due_at - lowest) * w.interval_s
                );
                w.due[place] := lowest;
            END IF;
            kept[k] := w;
        END LOOP;
    END LOOP;

    blocked_s := greatest(0, l.blocked_until - clock);
    WHILE blocked_s = 0 LOOP
        slot := clock + lead_s;
        FOR k IN 1 .. cardinality(kept) LOOP
            w := kept[k];
            FOR j IN REVERSE cardinality(w.due) .. 1 LOOP
                CONTINUE WHEN w.due[j] > l.given;
                w.tat := greatest(w.tat, w.floors[j] + w.burst_s + (l.given - w.due[j]) * w.interval_s);
                w.due := w.due[: j - 1] || w.due[j + 1 :];
                w.floors := w.floors[: j - 1] || w.floors[j + 1 :];
            END LOOP;
            kept[k] := w;
            slot := greatest(slot, w.tat - w.burst_s);
            IF shares[k] >= w.count THEN
                slot := greatest(slot, clock + ahead_s + 1);
            END IF;
        END LOOP;
        wait_s := slot - clock;
        EXIT WHEN l.given - first >= want OR wait_s > ahead_s;
        FOR k IN 1 .. cardinality(kept) LOOP
            w := kept[k];
            w.tat := greatest(slot, w.tat) + w.interval_s * w.count / (w.count - shares[k]);
            kept[k] := w;
        END LOOP;
        slots := slots || (slot - clock);
        l.given := l.given + 1;
    END LOOP;

    given := l.given;
    IF changed OR given > first OR step > 0 THEN
        UPDATE dispatcher.limits AS r
        SET given = l.given, seen_at = clock, blocked_until = l.blocked_until,
            round_trip_s = l.round_trip_s, round_trip_at = l.round_trip_at, windows = kept
        WHERE r.account = for_account;
    END IF;
END
$function$;

CREATE FUNCTION dispatcher.contact(
    me bigint,
    lease double precision,
    quiet double precision,
    settle double precision,
    heard double precision,
    OUT told double precision,
    OUT may_use double precision
) LANGUAGE plpgsql AS $function$
DECLARE
    c dispatcher.contacts;
    others integer;
    promised double precision;
BEGIN
    -- one at a time: the shares of all must not add up to more than the whole
    PERFORM pg_advisory_xact_lock(7308327912442945617);
    SELECT * INTO c FROM dispatcher.contacts AS r WHERE r.node = me;
    told := extract(epoch FROM clock_timestamp());
    SELECT count(*), coalesce(sum(r.share), 0) INTO others, promised
    FROM dispatcher.contacts AS r WHERE r.node <> me AND r.told_at + r.lease_s + r.settle_s > told;
    -- never more than a half, so that whoever comes after a crash can begin at once
    may_use := greatest(0, least(1.0 / greatest(others + 1, 2), 1.0 - promised));
    IF c.node IS NULL THEN
        INSERT INTO dispatcher.contacts (node, lease_s, quiet_s, settle_s, share, offered, heard_at, told_at, back_at)
        VALUES (me, lease, quiet, settle, may_use, may_use, told, told, '-infinity');
        DELETE FROM dispatcher.contacts AS r WHERE r.told_at + 2 * r.lease_s + 60 < told;
        RETURN;
    END IF;
    UPDATE dispatcher.contacts AS r SET
        heard_at = greatest(c.heard_at, heard),
        told_at = told,
        share = greatest(may_use, CASE WHEN heard >= c.told_at THEN c.offered ELSE c.share END),
        offered = may_use,
        back_at = CASE
            WHEN greatest(c.heard_at, heard) + quiet < told THEN 'infinity'
            WHEN c.back_at = 'infinity' OR c.heard_at + quiet < told THEN told
            ELSE c.back_at
        END
    WHERE r.node = me;
END
$function$;

-- name: take_slots
-- One round trip: what there is to tell, and slots. $1 account; of each limit $2 window, $3 count, $4 interval, $5 burst;
-- $6 slots wanted, $7 seconds that they lie ahead at least, $8 and at most; of each late request $9 the place
-- of its window, $10 its number, $11 seconds until it has arrived; $12 seconds that the server asked everybody to wait; $13 the
-- shortest round trip.
SELECT clock, first, slots, given, wait_s, blocked_s, round_trip_s, reserved
FROM dispatcher.take_slots($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: contact
-- $1 this node, $2 seconds of its lease, $3 of silence after which it may use its share, $4 to be on the safe side, $5 the newest
-- answer that it has heard.
SELECT told, may_use FROM dispatcher.contact($1, $2, $3, $4, $5);

-- name: end_contact
-- A node goes, and sends nothing any more. $1 node
DELETE FROM dispatcher.contacts WHERE node = $1;
