"""The port: taking rows and giving them back, versions in order. For every adapter."""

from __future__ import annotations

import asyncio
import math

from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool import Spool
from tests.conformance.stored import claimed, store
from tests.conformance.world import World, job, jobs, path


async def test_a_claim_carries_the_job_as_it_was_stored(spool: Spool) -> None:
    (answer,) = await spool.accept("acme", [job("a", worker="ann", switches=3)], now=1.0)
    (taken,) = await spool.claim("acme", limit=1, now=1.0)
    assert (taken.seq, taken.key, taken.version, taken.state) == (answer.seq, "a", 1, State.ACCEPTED)
    assert (taken.switches, taken.day, taken.priority) == (3, 20261123, 7)
    assert (taken.worker, taken.preassigned, taken.autoassign) == ("ann", True, False)
    assert (taken.attempts, taken.refusals, taken.sent_at, taken.settle_by) == (0, 0, 0.0, 0.0)


async def test_oldest_first_and_never_twice(spool: Spool) -> None:
    await store(spool, *"abcde")
    assert await claimed(spool, limit=2) == ["a", "b"]
    assert await claimed(spool, limit=2) == ["c", "d"]
    assert await claimed(spool, limit=2) == ["e"]
    assert await claimed(spool) == []
    assert await claimed(spool, limit=0) == []


async def test_claims_at_the_same_time_share_the_rows_out(spool: Spool) -> None:
    await store(spool, *(f"k{number}" for number in range(100)))
    shares = await asyncio.gather(*(claimed(spool, limit=7) for _ in range(20)))
    assert sorted(key for share in shares for key in share) == sorted(f"k{number}" for number in range(100))


async def test_released_rows_are_claimed_again_in_their_old_place(spool: Spool) -> None:
    seqs = await store(spool, *"abcd")
    await claimed(spool, limit=3)
    await spool.release([seqs[1], seqs[0], 999])
    assert await claimed(spool) == ["a", "b", "d"]


async def test_rows_wait_for_their_time(spool: Spool) -> None:
    seqs = await store(spool, *"abc")
    await spool.apply([Change(seqs=seqs[:2], to=State.HELD, expect=(State.ACCEPTED,), next_at=500.0)], now=110.0)
    held = (State.HELD,)
    assert await spool.claim("acme", limit=10, now=499.9, states=held) == []
    assert [one.key for one in await spool.claim("acme", limit=1, now=500.0, states=held)] == ["a"]
    assert [one.key for one in await spool.claim("acme", limit=9, now=501.0, states=held)] == ["b"]


async def test_a_row_that_waits_for_ever_is_never_due(spool: Spool) -> None:
    seqs = await store(spool, "a")
    await spool.apply([Change(seqs=seqs, to=State.HELD, expect=(State.ACCEPTED,), next_at=math.inf)], now=1.0)
    assert await spool.claim("acme", limit=1, now=1e12, states=(State.HELD,)) == []
    receipt = await spool.receipt("acme", "a")
    assert receipt is not None
    assert receipt.next_at == math.inf


async def test_only_the_named_states_are_claimed_in_one_order_over_all(spool: Spool) -> None:
    seqs = await store(spool, *"abcdef")
    await spool.apply([*path([seqs[1], seqs[4]], State.ASSIGNED), *path([seqs[2]], State.UNKNOWN)], now=110.0)
    assert [j.key for j in await spool.claim("acme", limit=9, now=200.0, states=(State.UNKNOWN,))] == ["c"]
    assert await claimed(spool, limit=3) == ["a", "b", "d"]
    assert await claimed(spool, limit=3) == ["e", "f"]


async def test_a_moved_row_is_free_and_is_found_in_its_new_state(spool: Spool) -> None:
    """Also behind rows that were claimed before it: the search does not only go forward."""
    seqs = await store(spool, *"abc")
    await spool.claim("acme", limit=3, now=200.0)
    await spool.apply(path([seqs[2]], State.ASSIGNED), now=210.0)
    assert await claimed(spool) == ["c"]
    await spool.apply(path([seqs[0]], State.ASSIGNED), now=220.0)
    assert await claimed(spool) == ["a"]
    back = Change(seqs=[seqs[0]], to=State.ACCEPTED, expect=(State.ASSIGNED,))
    await spool.apply([back], now=230.0)
    assert await claimed(spool) == ["a"]


async def test_a_backoff_in_the_past_or_present_is_due(spool: Spool) -> None:
    seqs = await store(spool, *"ab", to=State.SENDING)
    await spool.apply([Change(seqs=seqs, to=State.ASSIGNED, expect=(State.SENDING,), next_at=200.25)], now=300.0)
    assert await claimed(spool, now=200.25) == ["a", "b"]


async def test_sending_and_settled_rows_are_not_handed_out_by_default(spool: Spool) -> None:
    for state in (State.SENDING, State.UNKNOWN, State.HELD, State.CONFIRMED, State.REJECTED, State.DEAD):
        await store(spool, state.value, to=state)
    assert await claimed(spool) == []


async def test_a_version_waits_until_every_older_one_is_settled(spool: Spool) -> None:
    answers = await spool.accept("acme", [job("a", "1"), job("a", "2"), job("a", "3"), job("b")], now=1.0)
    first, second, third, _ = (answer.seq for answer in answers)
    assert [(j.key, j.version) for j in await spool.claim("acme", limit=9, now=1.0)] == [("a", 1), ("b", 1)]
    await spool.apply(path([first], State.SENDING), now=2.0)
    assert await claimed(spool) == []
    await spool.apply([Change(seqs=[first], to=State.CONFIRMED, expect=(State.SENDING,))], now=3.0)
    assert [j.seq for j in await spool.claim("acme", limit=9, now=3.0)] == [second]
    await spool.apply(path([second], State.DEAD), now=4.0)
    assert [j.seq for j in await spool.claim("acme", limit=9, now=4.0)] == [third]


async def test_a_version_whose_older_one_is_settled_already_does_not_wait(spool: Spool) -> None:
    await store(spool, "a", to=State.REJECTED)
    await spool.accept("acme", [job("a", "better")], now=300.0)
    assert await claimed(spool) == ["a"]


async def test_a_replayed_version_goes_before_the_newer_one(spool: Spool) -> None:
    """The newer version waits again, whatever it was doing, and the middle one settling does not free it."""
    answers = await spool.accept("acme", [job("a", "1"), job("a", "2"), job("a", "3")], now=1.0)
    first, second, third = (answer.seq for answer in answers)
    await spool.apply([*path([first], State.REJECTED), *path([second], State.DEAD)], now=2.0)
    replay = (State.REJECTED, State.DEAD)
    await spool.apply([Change(seqs=[first, second], to=State.ACCEPTED, expect=replay)], now=3.0)
    await spool.apply(path([second], State.DEAD), now=4.0)
    assert [j.seq for j in await spool.claim("acme", limit=9, now=5.0)] == [first]
    await spool.apply(path([first], State.CONFIRMED), now=6.0)
    assert [j.seq for j in await spool.claim("acme", limit=9, now=7.0)] == [third]


async def test_a_blocked_version_can_be_given_up(spool: Spool) -> None:
    answers = await spool.accept("acme", [job("a", "1"), job("a", "2"), job("a", "3")], now=1.0)
    first, second, third = (answer.seq for answer in answers)
    assert await spool.apply(path([second], State.DEAD), now=2.0) == []
    await spool.apply(path([first], State.CONFIRMED), now=3.0)
    assert [j.seq for j in await spool.claim("acme", limit=9, now=4.0)] == [third]


async def test_versions_still_wait_after_a_crash(world: World) -> None:
    await world.spool.accept("acme", [job("a", "1"), job("a", "2")], now=1.0)
    await world.crash(now=2.0)
    (taken,) = await world.spool.claim("acme", limit=9, now=3.0)
    assert taken.version == 1
    await world.spool.apply(path([taken.seq], State.CONFIRMED), now=4.0)
    assert [j.version for j in await world.spool.claim("acme", limit=9, now=5.0)] == [2]


async def test_a_cancelled_claim_hands_nothing_out(spool: Spool) -> None:
    await store(spool, *"abc")
    task = asyncio.create_task(claimed(spool))
    await asyncio.sleep(0)
    task.cancel()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    kept = outcome if isinstance(outcome, list) else []
    assert kept + await claimed(spool) == ["a", "b", "c"]


async def test_a_cancelled_accept_is_done_whole_or_not_at_all(spool: Spool) -> None:
    tasks = [asyncio.create_task(spool.accept("acme", jobs([f"{n}a", f"{n}b"]), now=1.0)) for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    receipts = {r.key for r in await spool.receipts("acme", limit=100)}
    assert (await spool.counts("acme"))[State.ACCEPTED] == len(receipts)
    assert all((f"{n}a" in receipts) == (f"{n}b" in receipts) for n in range(30))
    assert all(f"{n}a" in receipts for n in range(1, 30, 2))
