"""Rows that a node has just written go on to its own next stage by memory; the others get what it does not use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dispatcher.model.records import Change, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.postgres import PostgresSpool
from dispatcher.spool.postgres.hand import MOST_BYTES, Hand, Hold
from tests import postgres
from tests.conformance.world import job, jobs
from tests.unit.spool.postgres.conftest import Opened

OWNERS = "SELECT owner FROM dispatcher.jobs ORDER BY seq"


async def keys(spool: PostgresSpool, state: State = State.ACCEPTED, *, limit: int = 100) -> list[str]:
    return [one.key for one in await spool.claim("acme", limit=limit, now=100.0, states=(state,))]


async def owners(dsn: str) -> list[int]:
    return [row[0] for row in await postgres.fetch(dsn, OWNERS)]


async def until_found(spool: PostgresSpool) -> list[str]:
    """Ask until there is something."""
    async with asyncio.timeout(10):
        while not (found := await keys(spool)):  # noqa: ASYNC110 - there is nothing to be woken by
            await asyncio.sleep(0.02)
    return found


def withdrawn(seq: int) -> Change:
    return Change(seqs=[seq], to=State.DEAD, expect=(State.ACCEPTED,), error="withdrawn: x")


async def ready(spool: PostgresSpool, *states: State) -> None:
    """Its stages have asked for more than there was."""
    await spool.accept("acme", [job("first")], now=1.0)
    taken = await spool.claim("acme", limit=9, now=1.0)
    for state in states or (State.ACCEPTED,):
        assert await spool.claim("acme", limit=9, now=1.0, states=(state,)) == []
    dead = Change(seqs=[one.seq for one in taken], to=State.DEAD, expect=(State.ACCEPTED,))
    assert await spool.apply([dead], now=1.0) == []


async def seqs_of(spool: PostgresSpool, names: Sequence[str]) -> list[int]:
    return [answer.seq for answer in await spool.accept("acme", jobs(names), now=2.0)]


async def test_a_new_row_is_written_as_its_nodes_own_when_that_one_waits_for_it(dsn: str, node: Opened) -> None:
    one = await node("one")
    await one.accept("acme", jobs("ab"), now=1.0)
    assert await owners(dsn) == [0, 0]
    assert await keys(one) == ["a", "b"]
    await one.accept("acme", jobs("cd"), now=2.0)
    assert (await owners(dsn))[2:] == [one.node.id] * 2
    assert await keys(one) == ["c", "d"]


async def test_a_decided_row_stays_with_its_node_until_it_is_settled(dsn: str, node: Opened) -> None:
    """As it was claimed, with what was decided; one write for each move and none in between."""
    one = await node("one")
    await ready(one, State.ACCEPTED, State.ASSIGNED)
    seqs = await seqs_of(one, "ab")
    assert await keys(one) == ["a", "b"]
    decided = Change(
        seqs=seqs, to=State.ASSIGNED, expect=(State.ACCEPTED, State.HELD), workers=["ann", None], autoassign=True
    )
    assert await one.apply([decided], now=3.0) == []
    before = await postgres.fetch(dsn, "SELECT xmin::text FROM dispatcher.jobs ORDER BY seq")
    taken = await one.claim("acme", limit=9, now=4.0, states=(State.ASSIGNED,))
    assert await postgres.fetch(dsn, "SELECT xmin::text FROM dispatcher.jobs ORDER BY seq") == before
    await one.release(seqs)
    assert taken == await one.claim("acme", limit=9, now=4.0, states=(State.ASSIGNED,))
    begin = Change(seqs=seqs, to=State.SENDING, expect=(State.ASSIGNED,), add_attempts=1)
    assert await one.apply([begin], now=5.0) == []
    assert await one.apply([Change(seqs=seqs, to=State.CONFIRMED, expect=(State.SENDING,))], now=6.0) == []
    assert await owners(dsn) == [0, 0, 0]
    assert (await one.counts("acme"))[State.CONFIRMED] == 2


async def test_older_rows_in_the_database_go_before_those_in_hand(dsn: str, node: Opened) -> None:
    one, two = await node("one"), await node("two")
    await ready(one)
    await two.accept("acme", jobs("ab"), now=2.0)
    await one.accept("acme", jobs("cd"), now=2.0)
    assert (await owners(dsn))[-2:] == [one.node.id] * 2
    assert await keys(one, limit=3) == ["a", "b", "c"]
    assert await keys(one, limit=3) == ["d"]


async def test_while_the_database_has_older_ones_new_rows_queue_there(dsn: str, node: Opened) -> None:
    one = await node("one")
    await one.accept("acme", jobs("abc"), now=1.0)
    assert await keys(one, limit=2) == ["a", "b"]
    await one.accept("acme", jobs("d"), now=2.0)
    assert (await owners(dsn))[2:] == [0, 0]
    assert await keys(one, limit=9) == ["c", "d"]


async def test_a_later_version_waits_in_the_database(dsn: str, node: Opened) -> None:
    """Whether it may go is for the claim to say."""
    one = await node("one")
    await ready(one)
    await one.accept("acme", [job("a", "old"), job("a", "new")], now=2.0)
    assert (await owners(dsn))[1:] == [one.node.id, 0]
    assert [one.version for one in await one.claim("acme", limit=9, now=3.0)] == [1]


async def test_what_is_not_asked_for_soon_is_given_to_others(node: Opened) -> None:
    one, two = await node("one"), await node("two")
    await ready(one)
    await one.accept("acme", jobs("ab"), now=2.0)
    assert await keys(two) == []
    assert await until_found(two) == ["a", "b"]
    await one.accept("acme", jobs("c"), now=3.0)  # nobody has asked since
    assert await keys(two) == ["c"]


async def test_a_node_that_is_alone_keeps_what_it_has_until_another_comes(dsn: str, node: Opened) -> None:
    one = await node("one", lease_s=0.5)
    async with asyncio.timeout(5):
        while not one.cluster.alone:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.02)
    await ready(one)
    await one.accept("acme", jobs("ab"), now=2.0)
    await asyncio.sleep(0.5)
    assert (await owners(dsn))[1:] == [one.node.id] * 2
    two = await node("two", lease_s=0.5)
    assert await until_found(two) == ["a", "b"]


async def test_a_row_that_was_taken_back_is_not_handed_out(node: Opened) -> None:
    """By this process; one that another took back is found out by the next write, which then writes all others."""
    one, two = await node("one"), await node("two")
    await ready(one)
    mine, others, stays = await seqs_of(one, "abc")
    assert await one.apply([withdrawn(mine)], now=3.0) == []
    assert await two.apply([withdrawn(others)], now=3.0) == []
    assert await keys(one) == ["b", "c"]
    assert await one.apply([Change(seqs=[others, stays], to=State.ASSIGNED, expect=(State.ACCEPTED,))], now=4.0) == [
        others
    ]
    counts = await two.counts("acme")
    assert (counts[State.DEAD], counts[State.ASSIGNED]) == (3, 1)
    assert len(one._hand) == 0


async def test_a_row_whose_change_is_refused_for_its_state_is_still_held_and_can_be_given_back(node: Opened) -> None:
    one, two = await node("one"), await node("two")
    seqs = await seqs_of(one, "ab")
    assert await keys(one) == ["a", "b"]
    assert await one.apply([Change(seqs=seqs, to=State.UNKNOWN, expect=(State.SENDING,))], now=3.0) == seqs
    assert await keys(two) == []
    await one.release(seqs)
    assert await keys(two) == ["a", "b"]


async def test_what_waits_in_hand_is_lost_with_the_lease(node: Opened) -> None:
    """Another node has it then, and this one goes on without."""
    one, two = await node("one", lease_s=0.6), await node("two", lease_s=0.6)
    await ready(one)
    one._beating.cancel()
    one._tidying.cancel()
    seqs = await seqs_of(one, "ab")
    assert await until_found(two) == ["a", "b"]
    await one.accept("acme", jobs("c"), now=3.0)
    assert one._writer.lost_leases == 1
    assert await keys(one) == ["c"]
    assert await two.apply([Change(seqs=seqs, to=State.ASSIGNED, expect=(State.ACCEPTED,))], now=4.0) == []


async def test_rows_of_a_killed_node_are_free_for_its_next_life(node: Opened) -> None:
    one = await node("one")
    await ready(one)
    await one.accept("acme", jobs("ab"), now=2.0)
    one.abandon()
    assert await keys(await node("one")) == ["a", "b"]


def test_large_bodies_fill_the_hand_before_many_rows_do() -> None:
    hand = Hand(lambda: True)
    hand.take(1, [0], limit=10, more=False, now=0.0)
    assert hand.room(1, 0) == 20_000
    large = SpooledJob(1, "a", 1, bytes(MOST_BYTES), 0, 0, 5, State.ACCEPTED, None, False, False, 0, 0.0, 0.0, 0)
    hand.keep({1: Hold(1, 1, 0, large)}, {1}, now=0.0)
    assert hand.room(1, 0) == 0
    assert hand.take(1, [0], limit=10, more=False, now=0.1) == [large]
    assert hand.room(1, 0) == 20_000
