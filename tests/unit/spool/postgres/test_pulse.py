"""One look for all accounts spares those that have nothing to do; it never hides what there is."""

from __future__ import annotations

import asyncio
import time

import pytest

from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool.postgres import pulse
from tests import postgres
from tests.conformance.world import jobs, path
from tests.unit.spool.postgres.conftest import Opened

STATEMENTS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "EVERY_S", 0.05)


async def settled() -> None:
    """Until a look that began after everything before this."""
    await asyncio.sleep(0.3)


async def transactions(dsn: str) -> int:
    await asyncio.sleep(1.2)  # a session tells of its transactions once a second
    return int((await postgres.fetch(dsn, STATEMENTS))[0][0])


async def test_accounts_with_nothing_to_do_cost_no_statement_of_their_own(
    node: Opened, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred accounts whose stages look again and again cost what one look does."""
    monkeypatch.setattr(pulse, "EVERY_S", 0.2)
    spool = await node("one", lease_s=60.0)
    names = [f"account {number}" for number in range(100)]

    async def look() -> None:
        for name in names:
            assert await spool.claim(name, limit=9, now=2.0) == []
            assert await spool.next_due(name, now=2.0) is None
            assert (await spool.collect(name, now=2.0)).jobs == 0
            assert not any((await spool.counts(name)).values())

    await look()
    await asyncio.sleep(0.6)
    before = await transactions(dsn)
    for _ in range(20):
        await look()
        await asyncio.sleep(0.05)
    assert await transactions(dsn) - before < 60


async def test_what_another_node_stores_is_found_without_a_hint(node: Opened, dsn: str) -> None:
    off = f"{dsn}{'&' if '?' in dsn else '?'}listen=off"
    one, two = await node("one", url=off), await node("two", url=off)
    assert await two.claim("acme", limit=9, now=2.0) == []
    await settled()
    await one.accept("acme", jobs("ab"), now=1.0)
    began = time.monotonic()
    while not (found := await two.claim("acme", limit=9, now=2.0)):
        assert time.monotonic() - began < 2
        await asyncio.sleep(0.02)
    assert [one.key for one in found] == ["a", "b"]


async def test_what_was_stored_or_moved_here_is_found_at_once(node: Opened) -> None:
    """However recent the last look is."""
    spool = await node("one")
    for number in range(30):
        key = f"k{number}"
        assert await spool.claim("acme", limit=9, now=2.0, states=(State.ACCEPTED,)) == []
        answer = (await spool.accept("acme", jobs([key]), now=1.0))[0]
        (taken,) = await spool.claim("acme", limit=9, now=2.0, states=(State.ACCEPTED,))
        assert taken.key == key
        await spool.release([answer.seq])
        (again,) = await spool.claim("acme", limit=9, now=2.0, states=(State.ACCEPTED,))
        assert again.key == key
        await spool.apply(path([answer.seq], State.CONFIRMED), now=3.0)
        await asyncio.sleep(0.01)


async def test_what_another_node_moves_is_counted_soon_and_what_is_moved_here_at_once(node: Opened) -> None:
    one, two = await node("one"), await node("two")
    await two.counts("acme")
    await settled()
    answers = await one.accept("acme", jobs("abc"), now=1.0)
    assert (await one.counts("acme"))[State.ACCEPTED] == 3
    await settled()
    assert (await two.counts("acme"))[State.ACCEPTED] == 3
    await one.apply(path([answer.seq for answer in answers], State.CONFIRMED), now=2.0)
    assert (await one.counts("acme"))[State.CONFIRMED] == 3


async def test_a_row_that_waits_is_due_at_its_time_and_not_before(node: Opened) -> None:
    spool = await node("one")
    (answer,) = await spool.accept("acme", jobs("a"), now=1.0)
    await spool.claim("acme", limit=1, now=1.0)
    await spool.apply([Change(seqs=[answer.seq], to=State.HELD, expect=(State.ACCEPTED,), next_at=50.0)], now=2.0)
    await spool.claim("acme", limit=1, now=3.0, states=(State.HELD,))
    await settled()
    assert await spool.claim("acme", limit=1, now=49.0, states=(State.HELD,)) == []
    assert await spool.next_due("acme", now=49.0) == 50.0
    assert [one.key for one in await spool.claim("acme", limit=1, now=50.0, states=(State.HELD,))] == ["a"]


async def test_what_a_backend_enqueues_is_taken_up_at_once_with_a_hint_and_soon_without(node: Opened, dsn: str) -> None:
    enqueue = """SELECT dispatcher.enqueue('acme', '{"uidSecondary": "a", "destinationName": "A"}')"""
    heard = asyncio.Event()
    spool = await node("one")
    spool.watch(lambda _: heard.set())
    await spool.collect("acme", now=1.0)
    await settled()
    await postgres.execute(dsn, enqueue)
    async with asyncio.timeout(10):
        await heard.wait()
    assert (await spool.collect("acme", now=2.0)).jobs == 1


async def test_while_the_database_is_away_nobody_is_told_that_nothing_waits(
    node: Opened, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks that fail are not gone by for long."""
    monkeypatch.setattr(pulse, "STALE_S", 0.2)
    spool = await node("one")
    await spool.claim("acme", limit=1, now=1.0)
    await settled()
    assert spool._pulse.quiet("acme", [State.ACCEPTED], now=1.0)
    name = dsn.partition("?")[0].rpartition("/")[2]
    await postgres.execute(postgres.admin_dsn(), f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        await postgres.execute(
            postgres.admin_dsn(), f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        await asyncio.sleep(0.4)
        assert not spool._pulse.quiet("acme", [State.ACCEPTED], now=1.0)
    finally:
        await postgres.execute(postgres.admin_dsn(), f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
