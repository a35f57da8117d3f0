"""One row in a real database gives the slots of all nodes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from contextlib import suppress

import pytest

from dispatcher.errors import SpoolError
from dispatcher.flow import Limit, SharedSlots, parse_limits
from dispatcher.model.slots import Late, SlotAnswer, SlotAsk, SlotWindow
from dispatcher.spool import LentSpool, MemorySpool, limits_of
from dispatcher.spool.postgres import PostgresSpool
from dispatcher.spool.postgres.limits import values
from dispatcher.spool.postgres.statements import SQL
from tests import postgres
from tests.unit.flow.limits_row import LimitsRow
from tests.unit.spool.postgres.conftest import Opened

ASK = SQL["take_slots"].replace(
    "SELECT ", "SELECT extract(epoch FROM statement_timestamp())::double precision AS asked, ", 1
)
"""Also when the statement came in, from which on what it tells counts."""


def windows(text: str) -> tuple[SlotWindow, ...]:
    """As a client names them."""
    return SharedSlots(parse_limits(text), random.Random(0)).question(0.0).windows


def busiest(moments: list[float], limit: Limit) -> int:
    ordered = sorted(moments)
    return max(
        sum(first <= other < first + limit.window_s for other in ordered[at:]) for at, first in enumerate(ordered)
    )


async def drained(spool: PostgresSpool, account: str, text: str, *, want: int = 1) -> SlotAnswer:
    """An answer that gave nothing."""
    while True:
        answer = await spool.shared_limits.ask(account, SlotAsk(windows=windows(text), want=want, ahead_s=0.1))
        if not answer.slots:
            return answer


async def test_the_row_does_what_the_model_of_it_does(node: Opened) -> None:
    """Hundreds of random questions, answered by both; the model is told the database's time."""
    spool, rng = await node("one"), random.Random(7)
    row = LimitsRow()
    choices = [windows(text) for text in ("20/s", "20/s, 100/10s", "25/s")]
    for number in range(400):
        named = rng.choice(choices)
        late = tuple(
            Late(rng.randrange(len(named)), rng.randrange(row.given + 1), rng.uniform(-0.3, 0.2))
            for _ in range(rng.choice([0, 0, 0, 0, 0, 0, 1, 3]))
        )
        question = SlotAsk(
            windows=named,
            want=rng.choice([0, 1, 1, 1, 4]),
            lead_s=rng.uniform(0.0, 0.1),
            ahead_s=0.2,
            late=late,
            blocked_s=0.05 if number % 50 == 49 else 0.0,
            round_trip_s=rng.choice([0.0, 0.02, 0.03]),
        )
        async with spool.shared_limits.link.use() as connection:
            (answer,) = await connection.fetch(ASK, *values("acme", question))
        expected = row.ask(question, asked=answer["asked"], clock=answer["clock"])
        assert (answer["first"], answer["given"]) == (expected.first, expected.given)
        assert answer["slots"] == pytest.approx(expected.slots, abs=1e-5)
        assert answer["wait_s"] == pytest.approx(expected.wait_s, abs=1e-5)
        assert answer["blocked_s"] == pytest.approx(expected.blocked_s, abs=1e-5)
        assert answer["round_trip_s"] == expected.round_trip_s
        if number % 3 == 0:
            await asyncio.sleep(rng.uniform(0.0, 0.05))
    assert row.given > 20


@pytest.mark.parametrize("text", ["20/s", "40/2s, 25/s"])
async def test_processes_that_take_slots_from_one_row_never_pass_a_limit(dsn: str, text: str) -> None:
    """Four processes, one of them with a clock that is off by a year; each gets its share of nearly everything."""
    spool = PostgresSpool(dsn)
    await spool.open(now=0.0)
    await spool.close()
    seconds = 6.0
    children = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.unit.spool.postgres.slots_child", dsn, text, str(seconds), offset),
            stdout=asyncio.subprocess.PIPE,
        )
        for offset in ("0", "0", "3.2e7", "-500")
    ]
    taken = [json.loads((await child.communicate())[0]) for child in children]
    moments = [moment for slots in taken for moment in slots]
    limits = parse_limits(text)
    for limit in limits:
        assert busiest(moments, limit) <= limit.count
    per_s = min(limit.count / limit.window_s for limit in limits)
    used = (len(moments) - 1) / (max(moments) - min(moments))
    assert used >= 0.85 * per_s
    assert min(map(len, taken)) >= 0.1 * len(moments)


async def test_a_block_is_known_to_whoever_asks_next(node: Opened) -> None:
    one, other = await node("one"), await node("other")
    await one.shared_limits.ask("acme", SlotAsk(windows=windows("20/s"), want=0, blocked_s=5.0))
    answer = await other.shared_limits.ask("acme", SlotAsk(windows=windows("20/s"), ahead_s=0.1))
    assert answer.slots == ()
    assert answer.blocked_s == pytest.approx(5.0, abs=0.5)
    shorter = await one.shared_limits.ask("acme", SlotAsk(windows=(), want=0, blocked_s=1.0))
    assert shorter.blocked_s == pytest.approx(5.0, abs=0.5)


async def test_without_limits_only_the_block_is_read(node: Opened, dsn: str) -> None:
    """Nothing is written for an account that has none."""
    one, other = await node("one"), await node("other")
    assert (await one.shared_limits.ask("free", SlotAsk(windows=(), want=2))).slots == (0.0, 0.0)
    assert await postgres.fetch(dsn, "SELECT account FROM dispatcher.limits") == []
    await other.shared_limits.ask("free", SlotAsk(windows=(), want=0, blocked_s=3.0))
    assert (await one.shared_limits.ask("free", SlotAsk(windows=()))).blocked_s > 2.0


async def test_a_window_that_others_have_named_stays_in_force_for_whoever_does_not(node: Opened) -> None:
    """While the settings of one daemon after the other are changed."""
    one, other = await node("one"), await node("other")
    await drained(one, "acme", "1/min")
    answer = await other.shared_limits.ask("acme", SlotAsk(windows=windows("100/s"), ahead_s=0.1))
    assert answer.slots == ()
    assert answer.wait_s > 30.0


async def test_a_window_that_is_new_begins_as_full_as_it_can_be(node: Opened) -> None:
    spool = await node("one")
    answer = await spool.shared_limits.ask("acme", SlotAsk(windows=windows("1/min"), ahead_s=0.1))
    assert answer.slots == ()
    assert answer.wait_s == pytest.approx(62.4, abs=0.1)


async def test_accounts_have_rows_of_their_own(node: Opened) -> None:
    spool = await node("one")
    await drained(spool, "acme", "1/min")
    await asyncio.sleep(0.1)
    await drained(spool, "beta", "50/s")
    assert (await drained(spool, "beta", "50/s")).wait_s < 0.2


async def test_what_is_late_holds_up_the_slot_that_would_be_too_close(node: Opened) -> None:
    """Number 0 arrives 0.4 s late; with 3 in a second number 3 keeps a second's distance from that."""
    spool = await node("one")
    ask = spool.shared_limits.ask
    first: list[float] = []
    while len(first) < 4:
        answer = await ask("acme", SlotAsk(windows=windows("3/s"), ahead_s=0.1))
        first += [answer.clock + in_s for in_s in answer.slots]
        if answer.given == 1 and answer.slots:
            late = Late(0, 0, first[0] + 0.4 - answer.clock)
            await ask("acme", SlotAsk(windows=windows("3/s"), want=0, late=(late,)))
        await asyncio.sleep(min(0.05, max(0.0, answer.wait_s)))
    assert first[3] >= first[0] + 0.4 + 1.0 - 0.001
    assert first[2] - first[0] < 1.0


@pytest.mark.skipif(bool(os.environ.get(postgres.VARIABLE)), reason="that server is not ours to kill")
async def test_a_database_that_was_killed_forgets_no_slot(node: Opened) -> None:
    spool = await node("one")
    before = await drained(spool, "acme", "1/2s", want=1)
    while not before.given:
        await asyncio.sleep(0.2)
        before = await spool.shared_limits.ask("acme", SlotAsk(windows=windows("1/2s"), ahead_s=0.1))
    given_at = before.clock + before.slots[0]
    await asyncio.to_thread(postgres.restart, away_s=0.0)
    with suppress(SpoolError):  # a connection that was lost may be found out by this
        await spool.shared_limits.ask("acme", SlotAsk(windows=windows("1/2s"), want=0))
    after = await spool.shared_limits.ask("acme", SlotAsk(windows=windows("1/2s"), ahead_s=10.0))
    assert after.first == before.given
    assert after.clock + after.slots[0] - given_at >= 2.0


async def test_shares_for_the_time_without_the_database_never_add_up_to_more_than_the_whole(node: Opened) -> None:
    """Each node is promised one as soon as it asks for slots; one that closes gives it back."""
    spools = [await node(name, lease_s=10.0) for name in ("one", "two", "three")]
    for spool in spools:
        await spool.shared_limits.ask("acme", SlotAsk(windows=windows("20/s"), want=0))
        await asyncio.sleep(0.1)
    promised = [spool.shared_limits.permit.share for spool in spools if spool.shared_limits.permit]
    assert len(promised) == 3
    assert sum(promised) <= 1.0
    until = time.monotonic() + 10.0
    while time.monotonic() < until:
        shares = [spool.shared_limits.permit.share for spool in spools if spool.shared_limits.permit]
        if shares == pytest.approx([1 / 3] * 3):
            break
        await asyncio.sleep(0.1)
    assert shares == pytest.approx([1 / 3] * 3)
    await spools[0].close()
    rows = await postgres.fetch(spools[1].address.dsn, "SELECT count(*) FROM dispatcher.contacts")
    assert rows == [(2,)]


async def test_limits_that_outlast_a_lease_need_no_promise(node: Opened, dsn: str) -> None:
    """With a minute's window nothing could be sent before the lease has ended."""
    spool = await node("one")
    await spool.shared_limits.ask("acme", SlotAsk(windows=windows("20/s, 300/min"), want=0))
    await asyncio.sleep(0.7)
    assert spool.shared_limits.permit is None
    assert await postgres.fetch(dsn, "SELECT node FROM dispatcher.contacts") == []


async def test_the_share_of_a_silent_node_is_left_free(node: Opened) -> None:
    """It died without a word: its half is not given until its lease and one window have passed."""
    silent, other = await node("silent", lease_s=6.0), await node("other", lease_s=6.0)
    for spool in (silent, other):
        await spool.shared_limits.ask("acme", SlotAsk(windows=windows("20/s"), want=0))
    await asyncio.sleep(1.0)
    silent.abandon()
    moments: list[float] = []
    reserved: list[bool] = []
    until = time.monotonic() + 5.5
    while time.monotonic() < until:
        answer = await other.shared_limits.ask("acme", SlotAsk(windows=windows("20/s"), ahead_s=0.1))
        moments += [answer.clock + in_s for in_s in answer.slots]
        reserved.append(answer.reserved)
        await asyncio.sleep(0.01)
    assert reserved[0] is False
    assert reserved[-1] is True
    assert busiest([moment for moment in moments if moment > moments[0] + 4.0], Limit(20, 1.0)) <= 10
    assert busiest(moments, Limit(20, 1.0)) in {19, 20}


async def test_nothing_of_it_stays_in_a_session(node: Opened) -> None:
    """Behind PgBouncer in transaction mode."""
    spool = await node("one", lease_s=10.0)
    for _ in range(3):
        await spool.shared_limits.ask("acme", SlotAsk(windows=windows("20/s"), ahead_s=0.1))
        await asyncio.sleep(0.05)
    async with spool.shared_limits.link.use() as session:
        prepared = await session.fetch("SELECT statement FROM pg_prepared_statements")
        assert [row[0] for row in prepared if "pg_prepared_statements" not in row[0]] == []
        assert await session.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        assert await session.fetchval("SHOW synchronous_commit") == "on"


async def test_the_limits_of_a_spool_are_found_be_it_lent_or_not(node: Opened) -> None:
    spool = await node("one")
    assert limits_of(spool) is spool.shared_limits
    assert limits_of(LentSpool(spool, account="acme")) is spool.shared_limits
    assert limits_of(MemorySpool()) is None
