"""Behind PgBouncer in transaction mode each transaction may meet another session: none may find anything left there."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from dispatcher.model.state import State
from tests import pgbouncer, postgres
from tests.conformance.world import jobs, path
from tests.unit.spool.postgres.conftest import Opened


@pytest.mark.parametrize("at_once", [1, 40])
async def test_nothing_stays_in_a_session(node: Opened, at_once: int) -> None:
    """No prepared statement but the one that asks, no lock, no setting, nothing listened to."""
    spool = await node("one")
    answers = await spool.accept("acme", jobs(f"k{number}" for number in range(at_once)), now=1.0)
    await spool.apply(path([answer.seq for answer in answers], State.ASSIGNED), now=2.0)
    claimed = await spool.claim("acme", limit=at_once, now=2.0)
    await spool.release([one.seq for one in claimed])
    await spool.counts("acme")
    assert await spool.prune(before=0.0) == 0
    for link in spool._links:
        async with link.use() as session:
            prepared = await session.fetch("SELECT statement FROM pg_prepared_statements")
            assert [row[0] for row in prepared if "pg_prepared_statements" not in row[0]] == []
            locks = await session.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            assert locks == 0
            assert await session.fetchval("SHOW synchronous_commit") == "on"
            assert await session.fetchval("SHOW idle_in_transaction_session_timeout") == "0"
            assert await session.fetchval("SHOW lock_timeout") == "0"
            assert await session.fetchval("SELECT count(*) FROM pg_listening_channels()") == 0


async def test_the_address_may_ask_for_prepared_statements(node: Opened, dsn: str) -> None:
    """Where the pool, or none, allows it."""
    spool = await node("one", url=f"{dsn}{'&' if '?' in dsn else '?'}prepared=on")
    await spool.accept("acme", jobs("ab"), now=1.0)
    assert [one.key for one in await spool.claim("acme", limit=9, now=2.0)] == ["a", "b"]
    async with spool._links[0].use() as session:
        assert await session.fetchval("SELECT count(*) FROM pg_prepared_statements") > 3


async def test_a_session_that_is_changed_under_every_transaction_does_no_harm(node: Opened, dsn: str) -> None:
    """The pool's part is played by cutting every connection off between two calls."""
    spool = await node("one")
    keys = "abcdef"
    for key in keys:
        await postgres.execute(dsn, postgres.CUT_OFF)
        for link in spool._links:
            link.cut()
        assert (await spool.accept("acme", jobs(key), now=1.0))[0].fresh
    assert [one.key for one in await spool.claim("acme", limit=9, now=2.0)] == list(keys)


@pytest.mark.skipif(bool(pgbouncer.MISSING), reason=pgbouncer.MISSING)
async def test_the_pool_of_the_tests_gives_each_transaction_the_session_that_is_free(dsn: str) -> None:
    """Otherwise what holds behind it would say nothing."""
    url = pgbouncer.through(dsn).partition("?")[0]
    clients = await asyncio.gather(*(asyncpg.connect(url, statement_cache_size=0) for _ in range(6)))
    try:
        sessions = await asyncio.gather(*(one.fetchval("SELECT pg_backend_pid()") for one in clients))
        assert len(set(sessions)) <= 2
        first = clients[0]
        async with clients[1].transaction(), clients[2].transaction():
            held = [await one.fetchval("SELECT pg_backend_pid()") for one in clients[1:3]]
        assert await first.fetchval("SELECT pg_backend_pid()") in held
    finally:
        await asyncio.gather(*(one.close() for one in clients))
