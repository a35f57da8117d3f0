"""Broken connections, and a database that goes and comes back: each write takes effect once, or says it did not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool.postgres import PostgresSpool
from dispatcher.spool.postgres.writer import MAX_NEW_ROWS
from tests import postgres
from tests.conformance.world import jobs, path
from tests.unit.spool.postgres.conftest import Opened
from tests.unit.spool.postgres.wire import Cut, Wire


@pytest.fixture
async def wire(dsn: str) -> AsyncIterator[Wire]:
    async with Wire(dsn) as made:
        yield made


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_took_effect_once(wire: Wire, node: Opened, cut: Cut) -> None:
    """Whether it did or not: the callers hear of it only when it did."""
    spool = await node("one", url=wire.dsn)
    wire.cut = cut
    answers = await spool.accept("acme", jobs("abc"), now=1.0)
    assert [(answer.version, answer.fresh) for answer in answers] == [(1, True)] * 3
    seqs = [answer.seq for answer in answers]
    assert [one.seq for one in await spool.claim("acme", limit=9, now=2.0)] == seqs
    wire.cut = cut
    assign, begin = path(seqs, State.SENDING)
    assert await spool.apply([assign], now=3.0) == []
    assert [one.seq for one in await spool.claim("acme", limit=9, now=3.0)] == seqs
    wire.cut = cut
    assert await spool.apply([Change(seqs=seqs, to=begin.to, expect=begin.expect, add_attempts=1)], now=4.0) == []
    assert wire.cuts == 3
    assert [(row.state, row.attempts) for row in await spool.receipts("acme")] == [(State.SENDING, 1)] * 3
    assert (await spool.counts("acme"))[State.SENDING] == 3
    assert await spool.apply([Change(seqs=seqs, to=State.CONFIRMED, expect=(State.SENDING,))], now=5.0) == []


async def test_rows_of_a_claim_whose_answer_is_lost_are_claimed_again(wire: Wire, node: Opened) -> None:
    """And those that are held stay held."""
    spool = await node("one", url=wire.dsn)
    seqs = [answer.seq for answer in await spool.accept("acme", jobs("abcd"), now=1.0)]
    assert [one.seq for one in await spool.claim("acme", limit=1, now=2.0)] == seqs[:1]
    wire.cut = "claim"
    with pytest.raises(SpoolError, match="cannot be reached"):
        await spool.claim("acme", limit=2, now=2.0)
    assert wire.cuts == 1
    assert [one.seq for one in await spool.claim("acme", limit=9, now=2.0)] == seqs[1:]


async def test_a_claim_that_is_heard_of_before_the_commit_it_follows_is_kept(
    node: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers come over two connections, so either may be the first."""
    spool = await node("one")
    seqs = [answer.seq for answer in await spool.accept("acme", jobs("abc"), now=1.0)]
    await spool.claim("acme", limit=9, now=2.0, states=(State.ACCEPTED,))
    assign, begin = path(seqs, State.SENDING)
    transaction, taken = spool._writer._transaction, list[int]()

    async def heard_of_late(*given: Any, **options: Any) -> Any:
        answer = await transaction(*given, **options)
        taken.extend(job.seq for job in await spool.claim("acme", limit=9, now=3.0, states=(State.ASSIGNED,)))
        return answer

    monkeypatch.setattr(spool._writer, "_transaction", heard_of_late)
    assert await spool.apply([assign], now=3.0) == []
    monkeypatch.undo()
    assert taken == seqs
    assert await spool.apply([begin], now=4.0) == []


async def test_a_claim_outlives_a_commit_that_did_not_come_about(wire: Wire, node: Opened) -> None:
    """The write is tried again, and the rows are still this node's."""
    spool = await node("one", url=wire.dsn)
    seqs = [answer.seq for answer in await spool.accept("acme", jobs("ab"), now=1.0)]
    await spool.claim("acme", limit=9, now=2.0)
    wire.cut = "before"
    assert await spool.apply([path(seqs, State.SENDING)[0]], now=3.0) == []
    assert wire.cuts == 1
    assert {row.state for row in await spool.receipts("acme")} == {State.ASSIGNED}


async def test_rows_given_back_while_the_database_is_away_are_free_when_it_is_back(
    wire: Wire, node: Opened, dsn: str
) -> None:
    spool = await node("one", url=wire.dsn)
    seqs = [answer.seq for answer in await spool.accept("acme", jobs("ab"), now=1.0)]
    await spool.claim("acme", limit=9, now=2.0)
    wire.down = True
    await postgres.execute(dsn, postgres.CUT_OFF)
    await spool.release(seqs)
    wire.down = False
    assert [one.seq for one in await spool.claim("acme", limit=9, now=2.0)] == seqs


async def test_a_connection_that_breaks_between_two_calls_is_made_anew(wire: Wire, node: Opened, dsn: str) -> None:
    spool = await node("one", url=wire.dsn)
    await spool.accept("acme", jobs("a"), now=1.0)
    await postgres.execute(dsn, postgres.CUT_OFF)
    assert (await spool.counts("acme"))[State.ACCEPTED] == 1
    async with asyncio.timeout(10):
        while True:
            try:
                await spool.accept("acme", jobs("b"), now=2.0)
                claimed = await spool.claim("acme", limit=9, now=2.0)
            except SpoolError as error:
                assert "cannot be reached" in str(error)  # noqa: PT017 - both ways are right, the second time it works
            else:
                break
    assert [one.key for one in claimed] == ["a", "b"]


async def test_a_database_that_is_away_is_named_and_the_work_goes_on_when_it_is_back(
    wire: Wire, node: Opened, dsn: str
) -> None:
    spool = await node("one", url=wire.dsn)
    seqs = [answer.seq for answer in await spool.accept("acme", jobs("ab"), now=1.0)]
    await spool.claim("acme", limit=1, now=1.0)
    wire.down = True
    await postgres.execute(dsn, postgres.CUT_OFF)
    for _ in range(2):
        with pytest.raises(SpoolError, match=r"127\.0\.0\.1:\d+/spool_\w+: the database cannot be reached"):
            await spool.accept("acme", jobs("c"), now=2.0)
    with pytest.raises(SpoolError, match="cannot be reached"):
        await spool.counts("acme")
    wire.down = False
    assert (await spool.accept("acme", jobs("c"), now=3.0))[0].fresh
    hold = Change(seqs=seqs[:1], to=State.HELD, expect=(State.ACCEPTED,))
    assert await spool.apply([hold], now=3.0) == []


async def test_a_commit_in_doubt_when_the_spool_is_closed_is_told_as_such(wire: Wire, dsn: str) -> None:
    spool = PostgresSpool(wire.dsn, node="one")
    await spool.open(now=0.0)
    wire.cut, wire.then_down = "after", True
    doubtful = asyncio.create_task(spool.accept("acme", jobs("a"), now=1.0))
    while not wire.cuts:  # noqa: ASYNC110 - a test looks now and then
        await asyncio.sleep(0.01)
    await spool.close()
    with pytest.raises(SpoolError, match="it is not known whether the last write was stored"):
        await doubtful


async def test_nobody_waits_for_a_writer_that_has_ended(dsn: str) -> None:
    """Whatever ended it: those who wait hear of it, and those who come later do."""
    spool = PostgresSpool(dsn)
    await spool.open(now=0.0)
    waiting = asyncio.create_task(spool.accept("acme", jobs("a"), now=1.0))
    await asyncio.sleep(0)
    spool._writing.cancel()
    for call in (waiting, spool.accept("acme", jobs("b"), now=2.0)):
        with pytest.raises(SpoolError, match="writer has ended"):
            await call
    spool.abandon()


async def test_those_who_move_rows_do_not_wait_for_a_flood_of_new_ones(node: Opened) -> None:
    """New rows beyond their share of a commit wait for the next one; moves that came after them do not."""
    spool = await node("one")
    seqs = [answer.seq for answer in await spool.accept("acme", jobs("ab"), now=1.0)]
    ended: list[str] = []

    async def store(name: str) -> None:
        await spool.accept("acme", jobs(f"{name}-{number}" for number in range(MAX_NEW_ROWS)), now=2.0)
        ended.append(name)

    async def move() -> None:
        await spool.apply(path(seqs, State.ASSIGNED), now=2.0)
        ended.append("moved")

    await asyncio.gather(store("first"), store("second"), store("third"), move())
    assert ended.index("moved") < ended.index("second") < ended.index("third")
    assert (await spool.counts("acme"))[State.ACCEPTED] == 3 * MAX_NEW_ROWS


async def test_a_database_that_cannot_be_reached_at_all_cannot_be_opened(wire: Wire) -> None:
    wire.down = True
    with pytest.raises(SpoolUnusable, match="cannot be reached"):
        await PostgresSpool(wire.dsn).open(now=0.0)


@pytest.mark.skipif(bool(os.environ.get(postgres.VARIABLE)), reason="restarts the server")
async def test_what_was_acknowledged_survives_a_crash_of_the_database(node: Opened) -> None:
    """Killed without a checkpoint under load, and started again: leases and claims are as they were."""
    spool = await node("one")
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def load(name: str) -> None:
        number = 0
        while not stop.is_set():
            keys = [f"{name}-{number}-{part}" for part in range(5)]
            number += 1
            try:
                await spool.accept("acme", jobs(keys), now=1.0)
            except SpoolError:
                await asyncio.sleep(0.1)
            else:
                acknowledged.extend(keys)

    callers = [asyncio.create_task(load(name)) for name in "abcd"]
    await asyncio.sleep(0.5)
    held = [one.seq for one in await spool.claim("acme", limit=5, now=2.0)]
    await asyncio.to_thread(postgres.restart)
    before = len(acknowledged)
    async with asyncio.timeout(20):
        while len(acknowledged) < before + 50:  # noqa: ASYNC110 - a test looks now and then
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*callers)
    stored = {row.key for row in await spool.receipts("acme", limit=1_000_000)}
    assert len(held) == 5
    assert stored.issuperset(acknowledged)
    assert sum((await spool.counts("acme")).values()) == len(stored)
