"""The port: what a spool is asked. For every adapter."""

from __future__ import annotations

from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool import Spool
from tests.conformance.stored import claimed, store
from tests.conformance.world import World, job


async def test_next_due_is_the_earliest_later_time_of_a_row_that_waits(spool: Spool) -> None:
    assert await spool.next_due("acme", now=0.0) is None
    seqs = await store(spool, *"abcd")
    assert await spool.next_due("acme", now=0.0) is None
    for seq, at in zip(seqs, (700.0, 500.0, 600.0, 550.0), strict=True):
        await spool.apply([Change(seqs=[seq], to=State.HELD, expect=(State.ACCEPTED,), next_at=at)], now=1.0)
    assert await spool.next_due("acme", now=499.0) == 500.0
    assert await spool.next_due("acme", now=500.0) == 550.0
    assert await spool.next_due("acme", now=700.0) is None
    assert await spool.next_due("other", now=0.0) is None


async def test_next_due_leaves_claimed_rows_out(spool: Spool) -> None:
    seqs = await store(spool, *"ab")
    for seq, at in zip(seqs, (500.0, 600.0), strict=True):
        await spool.apply([Change(seqs=[seq], to=State.HELD, expect=(State.ACCEPTED,), next_at=at)], now=1.0)
    await spool.claim("acme", limit=1, now=550.0, states=(State.HELD,))
    assert await spool.next_due("acme", now=400.0) == 600.0


async def test_counters_follow_every_move_and_are_rebuilt(world: World) -> None:
    for state in State:
        await store(world.spool, *(f"{state}{n}" for n in range(2)), to=state)
    assert await world.spool.counts("acme") == dict.fromkeys(State, 2)
    await world.crash(now=9.0)
    assert await world.spool.counts("acme") == dict.fromkeys(State, 2) | {State.SENDING: 0, State.UNKNOWN: 4}


async def test_a_receipt_is_the_newest_version_unless_another_is_named(spool: Spool) -> None:
    await spool.accept("acme", [job("a", "1"), job("a", "2")], now=1.0)
    newest, first = await spool.receipt("acme", "a"), await spool.receipt("acme", "a", version=1)
    assert newest is not None
    assert first is not None
    assert (newest.version, first.version) == (2, 1)
    assert await spool.receipt("acme", "a", version=3) is None
    assert await spool.receipt("acme", "b") is None


async def test_receipts_come_a_page_at_a_time_filtered_by_state_and_row(spool: Spool) -> None:
    seqs = [(await store(spool, state.value, to=state))[0] for state in State]
    by_state = dict(zip(State, seqs, strict=True))
    assert [r.seq for r in await spool.receipts("acme")] == seqs
    assert [r.seq for r in await spool.receipts("acme", after_seq=seqs[2], limit=3)] == seqs[3:6]
    for wanted in ([State.DEAD], [State.REJECTED, State.DEAD], [State.ACCEPTED, State.CONFIRMED], [State.HELD]):
        page = await spool.receipts("acme", states=wanted)
        assert [r.seq for r in page] == sorted(by_state[state] for state in wanted)
        assert [r.state for r in page] == sorted(wanted, key=list(State).index)
    some = [seqs[5], seqs[1], 999, seqs[3]]
    assert [r.seq for r in await spool.receipts("acme", seqs=some)] == [seqs[1], seqs[3], seqs[5]]
    assert [r.seq for r in await spool.receipts("acme", seqs=some, limit=1, after_seq=seqs[1])] == [seqs[3]]
    assert [r.seq for r in await spool.receipts("acme", seqs=some, states=[State.CONFIRMED])] == [seqs[5]]
    assert await spool.receipts("acme", seqs=[]) == []
    assert await spool.receipts("acme", limit=0) == []


async def test_bodies_come_by_row(spool: Spool) -> None:
    seqs = await store(spool, *"abc")
    assert await spool.bodies("acme", [seqs[2], seqs[0], 999]) == {seqs[2]: job("c").body, seqs[0]: job("a").body}


async def test_decided_streams_every_row_with_a_member_and_claims_none(spool: Spool) -> None:
    keys = [f"k{number}" for number in range(2500)]
    seqs = await store(spool, *keys)
    await spool.apply(
        [
            Change(seqs=seqs, to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=["ann", None] * 1250),
            Change(seqs=seqs[:10], to=State.SENDING, expect=(State.ASSIGNED,)),
            Change(seqs=seqs[:4], to=State.UNKNOWN, expect=(State.SENDING,), next_at=900.0),
            Change(seqs=seqs[4:6], to=State.CONFIRMED, expect=(State.SENDING,)),
        ],
        now=1.0,
    )
    streamed = [one async for one in spool.decided("acme")]
    assert [one.key for one in streamed] == [key for key in keys[::2] if key != "k4"]
    assert {one.state for one in streamed} == {State.UNKNOWN, State.SENDING, State.ASSIGNED}
    assert len(await claimed(spool, limit=5000)) == 2490
    assert [one async for one in spool.decided("other")] == []
