"""The port: what a life of the process leaves to the next one. For every adapter."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from dispatcher.errors import SpoolError
from dispatcher.model.records import Change
from dispatcher.model.state import State
from tests.conformance.stored import NONE, claimed, store
from tests.conformance.world import ADAPTERS, World, job, make_world, path


async def test_everything_acknowledged_is_there_after_a_crash(world: World) -> None:
    seqs = await store(world.spool, *"abc")
    await world.spool.apply(path(seqs[:1], State.CONFIRMED), now=5.0)
    before = await world.spool.receipts("acme")
    await world.crash(now=9.0)
    assert await world.spool.receipts("acme") == before
    assert (await world.spool.accept("acme", [job("b")], now=9.0))[0].fresh is False
    assert (await world.spool.accept("acme", [job("d")], now=9.0))[0].seq > max(seqs)


async def test_what_was_being_sent_is_unknown_after_a_crash_and_due(world: World) -> None:
    """It keeps its attempt and the time from which a look-up is final."""
    seqs = await store(world.spool, *"abc", to=State.ASSIGNED)
    begin = Change(
        seqs=seqs[:2], to=State.SENDING, expect=(State.ASSIGNED,), add_attempts=1, sent_at=20.0, settle_by=50.0
    )
    await world.spool.apply([begin], now=20.0)
    assert await world.crash(now=30.0) == 2
    unknown = await world.spool.claim("acme", limit=9, now=30.0, states=(State.UNKNOWN,))
    assert [(j.key, j.attempts, j.sent_at, j.settle_by) for j in unknown] == [
        ("a", 1, 20.0, 50.0),
        ("b", 1, 20.0, 50.0),
    ]
    counts = await world.spool.counts("acme")
    assert counts == NONE | {State.UNKNOWN: 2, State.ASSIGNED: 1}
    assert await world.crash(now=31.0) == 0


async def test_claims_end_with_the_process(world: World) -> None:
    await store(world.spool, *"ab")
    await claimed(world.spool)
    await world.crash(now=9.0)
    assert await claimed(world.spool) == ["a", "b"]


async def test_close_is_idempotent_and_a_closed_spool_says_so(world: World) -> None:
    await store(world.spool, "a")
    await world.spool.close()
    await world.spool.close()
    with pytest.raises(SpoolError, match="not open"):
        await world.spool.accept("acme", [job("b")], now=1.0)
    with pytest.raises(SpoolError, match="not open"):
        await world.spool.claim("acme", limit=1, now=1.0)
    assert await world.spool.open(now=2.0) == 0
    assert await claimed(world.spool) == ["a"]


async def test_close_waits_for_what_was_begun(world: World) -> None:
    begun = [asyncio.create_task(world.spool.accept("acme", [job(f"k{n}")], now=1.0)) for n in range(20)]
    await asyncio.sleep(0)
    await world.spool.close()
    assert all(answer[0].fresh for answer in await asyncio.gather(*begun))
    await world.spool.open(now=2.0)
    assert (await world.spool.counts("acme"))[State.ACCEPTED] == 20


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_closing_a_spool_that_was_never_opened_does_nothing(adapter: str, tmp_path: Path) -> None:
    await make_world(adapter, tmp_path).spool.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208
