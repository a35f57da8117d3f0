"""A backend writes jobs in its own transaction; a node takes them up, and no job is lost without a word."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import orjson
import pytest

from dispatcher.errors import SpoolFull
from dispatcher.model.records import AUTOASSIGN, SEND_ROUTE_CHANGE
from dispatcher.model.state import State
from tests import postgres
from tests.unit.spool.postgres.conftest import Opened

PLACE = {"destinationLat": 45.07, "destinationLng": 7.69}


async def enqueue(dsn: str, jobs: Any, account: str = "acme", **more: bool) -> int:
    named = "".join(f", {name} => {str(value).lower()}" for name, value in more.items())
    sql = f"SELECT dispatcher.enqueue($1, $2::jsonb{named})"
    return int((await postgres.fetch(dsn, sql, account, orjson.dumps(jobs).decode()))[0][0])


async def test_what_a_backend_enqueued_is_accepted_in_its_order(node: Opened, dsn: str) -> None:
    spool = await node("one")
    assert await enqueue(dsn, [{"uidSecondary": key, **PLACE} for key in ("b", "a")]) == 2
    assert await enqueue(dsn, {"destinationName": "no key", **PLACE}) == 1
    assert await enqueue(dsn, [{"uidSecondary": "x", **PLACE}], "other") == 1
    done = await spool.collect("acme", now=50.0)
    assert (done.accepted, done.known, done.rejected, done.jobs) == (3, 0, 0, 3)
    first, second, third = await spool.claim("acme", limit=9, now=60.0)
    assert (first.key, second.key) == ("b", "a")
    assert orjson.loads(third.body) == {"uidSecondary": third.key, "destinationName": "no key", **PLACE}
    assert (await spool.collect("acme", now=51.0)).jobs == 0
    assert (await spool.counts("other"))[State.ACCEPTED] == 0
    assert (await spool.collect("other", now=52.0)).accepted == 1


async def test_the_jobs_come_with_the_backends_transaction_or_not_at_all(node: Opened, dsn: str) -> None:
    spool = await node("one")
    connection = await asyncpg.connect(dsn)
    for ending in ("ROLLBACK", "COMMIT"):
        await connection.execute("BEGIN")
        await connection.execute("CREATE TABLE IF NOT EXISTS orders (id integer)")
        await connection.execute("SELECT dispatcher.enqueue('acme', $1)", orjson.dumps(PLACE).decode())
        assert (await spool.collect("acme", now=1.0)).jobs == 0
        await connection.execute(ending)
        assert (await spool.collect("acme", now=2.0)).jobs == (ending == "COMMIT")
    await connection.close()


async def test_a_bad_job_becomes_a_rejected_one_that_says_why(node: Opened, dsn: str) -> None:
    spool = await node("one")
    bad = [
        {"uidSecondary": "late", "day": 20261399, **PLACE},
        7,
        {"uidSecondary": " "},
        {"uidSecondary": "good", **PLACE},
    ]
    await enqueue(dsn, bad)
    done = await spool.collect("acme", now=5.0)
    assert (done.accepted, done.rejected) == (1, 3)
    rejected = await spool.receipts("acme", states=[State.REJECTED])
    assert [row.error.split(":")[0] for row in rejected] == ["refused here"] * 3
    late = await spool.receipt("acme", "late")
    assert late is not None
    assert late.error.startswith("refused here: day: ")
    assert late.accepted_at == 5.0
    assert "must be a JSON object" in rejected[1].error
    bodies = await spool.bodies("acme", [row.seq for row in rejected])
    assert [orjson.loads(bodies[row.seq]) for row in rejected] == bad[:3]
    counts = await spool.counts("acme")
    assert (counts[State.REJECTED], counts[State.ACCEPTED]) == (3, 1)
    assert await spool.claim("acme", limit=9, now=6.0, states=tuple(State)) != []


async def test_the_same_job_twice_is_one_and_other_content_a_newer_version(node: Opened, dsn: str) -> None:
    spool = await node("one")
    job = {"uidSecondary": "a", **PLACE}
    await enqueue(dsn, [job, job])
    await enqueue(dsn, [job | {"priority": 9}])
    done = await spool.collect("acme", now=5.0)
    assert (done.accepted, done.known) == (2, 1)
    newest = await spool.receipt("acme", "a")
    assert newest is not None
    assert (newest.version, newest.priority) == (2, 9)


async def test_the_wishes_for_the_whole_request_go_with_each_job(node: Opened, dsn: str) -> None:
    spool = await node("one")
    await enqueue(dsn, [PLACE], autoassign=True)
    await enqueue(dsn, [PLACE], send_route_change=True)
    await enqueue(dsn, [PLACE])
    await spool.collect("acme", now=1.0)
    claimed = await spool.claim("acme", limit=9, now=2.0)
    assert [one.switches for one in claimed] == [AUTOASSIGN, SEND_ROUTE_CHANGE, 0]


async def test_nodes_take_up_each_job_once(node: Opened, dsn: str) -> None:
    nodes = [await node(name) for name in ("one", "two")]
    await enqueue(dsn, [PLACE] * 300)
    done = await asyncio.gather(*(nodes[turn % 2].collect("acme", now=1.0, limit=40) for turn in range(20)))
    assert sum(one.accepted for one in done) == 300
    assert (await nodes[0].counts("acme"))[State.ACCEPTED] == 300


async def test_a_full_spool_leaves_them_where_they_are(node: Opened, dsn: str) -> None:
    spool = await node("one", max_rows=2)
    await enqueue(dsn, [PLACE] * 3)
    with pytest.raises(SpoolFull):
        await spool.collect("acme", now=1.0)
    assert (await spool.collect("acme", now=1.0, limit=2)).accepted == 2
    assert await postgres.fetch(dsn, "SELECT count(*) FROM dispatcher.outbox") == [(1,)]


@pytest.mark.parametrize(
    ("account", "jobs", "words"),
    [("", "[]", "account is empty"), ("acme", "7", "jobs must be an array"), ("acme", "null", "jobs must be an array")],
)
async def test_a_call_that_cannot_be_meant_fails_in_the_backend(
    node: Opened, dsn: str, account: str, jobs: str, words: str
) -> None:
    await node("one")
    with pytest.raises(asyncpg.InvalidParameterValueError, match=words):
        await postgres.fetch(dsn, "SELECT dispatcher.enqueue($1, $2)", account, jobs)


async def test_a_backend_needs_the_right_to_call_the_function_and_no_other(node: Opened, dsn: str) -> None:
    await node("one")
    role = "dispatcher_test_backend"
    await postgres.execute(
        dsn,
        f"DROP ROLE IF EXISTS {role}",
        f"CREATE ROLE {role}",
        f"GRANT USAGE ON SCHEMA dispatcher TO {role}",
    )
    call = "SELECT dispatcher.enqueue('acme', '[{}]')"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="enqueue"):
        await postgres.execute(dsn, f"SET ROLE {role}", call)
    await postgres.execute(dsn, f"GRANT EXECUTE ON FUNCTION dispatcher.enqueue TO {role}")
    await postgres.execute(dsn, f"SET ROLE {role}", call)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="jobs"):
        await postgres.execute(dsn, f"SET ROLE {role}", "SELECT * FROM dispatcher.jobs")
    await postgres.execute(dsn, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
