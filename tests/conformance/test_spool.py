"""The rules of the port, for every adapter."""

from __future__ import annotations

import asyncio
import math
import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from dispatcher.errors import SpoolError, SpoolFull
from dispatcher.model.records import Change, Receipt
from dispatcher.model.state import State
from dispatcher.spool import Spool
from tests.conformance.world import ADAPTERS, World, job, jobs, make_world, path

NONE = dict.fromkeys(State, 0)


async def store(spool: Spool, *keys: str, account: str = "acme", to: State = State.ACCEPTED) -> list[int]:
    """Accept new keys and bring them to a state; their rows."""
    seqs = [answer.seq for answer in await spool.accept(account, jobs(keys), now=100.0)]
    assert await spool.apply(path(seqs, to), now=110.0) == []
    return seqs


async def claimed(spool: Spool, *, now: float = 200.0, limit: int = 100, account: str = "acme") -> list[str]:
    return [job.key for job in await spool.claim(account, limit=limit, now=now)]


# -- accept -----------------------------------------------------------------------------------------------------------


async def test_answers_come_in_the_order_of_the_jobs_and_rows_rise(spool: Spool) -> None:
    answers = await spool.accept("acme", jobs("cab"), now=100.0)
    assert [(a.version, a.state, a.fresh) for a in answers] == [(1, State.ACCEPTED, True)] * 3
    assert answers[0].seq < answers[1].seq < answers[2].seq


async def test_nothing_to_accept_is_nothing_done(spool: Spool) -> None:
    assert await spool.accept("acme", [], now=100.0) == []
    assert await spool.counts("acme") == NONE


async def test_the_same_key_and_content_is_the_same_row(spool: Spool) -> None:
    """A repeated accept stores nothing and tells the row's state right now."""
    (seq,) = await store(spool, "a", to=State.CONFIRMED)
    (again,) = await spool.accept("acme", [job("a")], now=300.0)
    assert (again.seq, again.version, again.state, again.fresh) == (seq, 1, State.CONFIRMED, False)
    assert sum((await spool.counts("acme")).values()) == 1


async def test_new_content_is_the_next_version_and_old_content_after_it_is_one_more(spool: Spool) -> None:
    """Only the newest version is compared: going back to the first content is a new version too."""
    versions = [(await spool.accept("acme", [job("a", content)], now=1.0))[0].version for content in "xyxx"]
    assert versions == [1, 2, 3, 3]


async def test_a_key_that_stands_twice_in_one_call_is_handled_in_order(spool: Spool) -> None:
    answers = await spool.accept("acme", [job("a", c) for c in "xxyx"], now=1.0)
    assert [(a.version, a.fresh) for a in answers] == [(1, True), (1, False), (2, True), (3, True)]
    assert answers[0].seq == answers[1].seq


async def test_a_call_may_mix_new_known_and_newer_jobs(spool: Spool) -> None:
    await store(spool, "a", "b")
    answers = await spool.accept("acme", [job("b"), job("c"), job("a", "new"), job("c")], now=1.0)
    assert [(a.version, a.fresh) for a in answers] == [(1, False), (1, True), (2, True), (1, False)]


async def test_accounts_do_not_see_each_other(spool: Spool) -> None:
    await store(spool, "a", account="one")
    (answer,) = await spool.accept("two", [job("a")], now=1.0)
    assert answer.fresh
    assert await claimed(spool, account="one") == ["a"]
    assert await spool.receipt("three", "a") is None
    assert await spool.counts("three") == NONE
    assert await spool.bodies("one", [answer.seq]) == {}
    assert await spool.receipts("one", seqs=[answer.seq]) == []


async def test_callers_at_the_same_time_get_one_row_per_key(spool: Spool) -> None:
    answers = await asyncio.gather(*(spool.accept("acme", jobs("ab"), now=1.0) for _ in range(50)))
    assert sum(one.fresh for answer in answers for one in answer) == 2
    assert len({one.seq for answer in answers for one in answer}) == 2


async def test_thousands_of_jobs_in_one_call_are_stored_in_order(spool: Spool) -> None:
    keys = [f"k{number}" for number in range(3777)]
    seqs = await store(spool, *keys)
    assert seqs == sorted(seqs)
    assert await claimed(spool, limit=5000) == keys


async def test_text_of_any_script_and_bodies_of_any_size_come_back_as_they_were(spool: Spool) -> None:
    given = [job("ключ-✓-🛵", "Straße"), job("a'\"\\;--", "x" * 300_000), job(" b\t", "")]
    await spool.accept("acme", given, now=1.0)
    taken = await spool.claim("acme", limit=10, now=1.0)
    assert [(one.key, one.body) for one in taken] == [(one.key, one.body) for one in given]


# -- claim and release ------------------------------------------------------------------------------------------------


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


# -- versions ---------------------------------------------------------------------------------------------------------


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


# -- apply ------------------------------------------------------------------------------------------------------------


async def test_a_change_writes_all_its_columns(spool: Spool) -> None:
    seqs = await store(spool, *"ab")
    decide = Change(
        seqs=seqs, to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=["ann", None], notes=['{"n":1}', None]
    )
    begin = Change(
        seqs=seqs, to=State.SENDING, expect=(State.ASSIGNED,), add_attempts=1, sent_at=300.5, settle_by=330.5
    )
    lost = Change(seqs=seqs, to=State.UNKNOWN, expect=(State.SENDING,), next_at=331.0, error="time-out")
    assert await spool.apply([decide, begin, lost], now=301.0) == []
    first, second = await spool.claim("acme", limit=2, now=331.0, states=(State.UNKNOWN,))
    assert (first.worker, first.preassigned, second.worker) == ("ann", False, None)
    assert (first.attempts, first.sent_at, first.settle_by, first.state) == (1, 300.5, 330.5, State.UNKNOWN)
    done = Change(
        seqs=seqs, to=State.CONFIRMED, expect=(State.UNKNOWN,), remote_ids=["77", None], error="", autoassign=True
    )
    await spool.apply([done], now=340.25)
    assert await spool.receipt("acme", "a") == Receipt(
        account="acme",
        key="a",
        version=1,
        seq=seqs[0],
        state=State.CONFIRMED,
        worker="ann",
        autoassign=True,
        day=20261123,
        priority=7,
        remote_id="77",
        attempts=1,
        sent_at=300.5,
        settle_by=330.5,
        note='{"n":1}',
        accepted_at=100.0,
        updated_at=340.25,
    )


async def test_what_a_change_does_not_name_stays(spool: Spool) -> None:
    seqs = await store(spool, *"ab")
    one = Change(
        seqs=seqs,
        to=State.ASSIGNED,
        expect=(State.ACCEPTED,),
        workers=["ann", "bob"],
        notes=["n1", "n2"],
        remote_ids=["1", "2"],
        autoassign=True,
        add_refusals=2,
        sent_at=5.0,
        settle_by=6.0,
        error="e",
    )
    back = Change(seqs=seqs, to=State.ACCEPTED, expect=(State.ASSIGNED,), notes=[None, "n3"], remote_ids=["3", None])
    await spool.apply([one, back], now=7.0)
    jobs = await spool.claim("acme", limit=2, now=8.0)
    assert [(j.worker, j.autoassign, j.refusals, j.sent_at, j.settle_by) for j in jobs] == [
        ("ann", True, 2, 5.0, 6.0),
        ("bob", True, 2, 5.0, 6.0),
    ]
    receipts = await spool.receipts("acme")
    assert [(r.note, r.remote_id, r.error) for r in receipts] == [("n1", "3", "e"), ("n3", "2", "e")]


async def test_a_decision_can_be_taken_back_to_no_member(spool: Spool) -> None:
    seqs = await store(spool, "a")
    await spool.apply(
        [
            Change(seqs=seqs, to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=["ann"]),
            Change(seqs=seqs, to=State.ACCEPTED, expect=(State.ASSIGNED,), workers=[None]),
        ],
        now=1.0,
    )
    assert (await spool.claim("acme", limit=1, now=1.0))[0].worker is None


async def test_rows_in_another_state_are_left_alone_and_reported(spool: Spool) -> None:
    seqs = await store(spool, *"abcd")
    await spool.apply(path([seqs[1]], State.ASSIGNED), now=1.0)
    change = Change(seqs=[*seqs, 999], to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=[*"wxyz", "-"])
    assert await spool.apply([change], now=2.0) == [seqs[1], 999]
    assert [r.worker for r in await spool.receipts("acme")] == ["w", None, "y", "z"]
    assert (await spool.counts("acme"))[State.ASSIGNED] == 4


async def test_a_row_left_alone_spoils_nothing_of_those_who_write_beside(spool: Spool) -> None:
    seqs = await store(spool, *"abc")
    wrong = Change(seqs=[seqs[0]], to=State.SENDING, expect=(State.ASSIGNED,))
    answers = await asyncio.gather(
        spool.apply(path([seqs[1]], State.ASSIGNED), now=1.0),
        spool.apply([wrong], now=1.0),
        spool.accept("acme", jobs("d"), now=1.0),
        spool.apply(path([seqs[2]], State.ASSIGNED), now=1.0),
    )
    assert answers[0] == answers[3] == []
    assert answers[1] == [seqs[0]]
    counts = await spool.counts("acme")
    assert (counts[State.ACCEPTED], counts[State.ASSIGNED]) == (2, 2)


async def test_one_change_may_expect_several_states_and_span_accounts(spool: Spool) -> None:
    one = await store(spool, *"ab", account="one")
    two = await store(spool, "c", account="two", to=State.ASSIGNED)
    change = Change(seqs=[*one, *two], to=State.DEAD, expect=(State.ACCEPTED, State.ASSIGNED))
    assert await spool.apply([change], now=1.0) == []
    assert (await spool.counts("one")) == NONE | {State.DEAD: 2}
    assert (await spool.counts("two")) == NONE | {State.DEAD: 1}


async def test_claimed_rows_of_several_accounts_move_and_are_counted_apart(spool: Spool) -> None:
    await store(spool, *"abc", account="one")
    await store(spool, *"de", account="two")
    for account in ("one", "two"):
        seqs = [taken.seq for taken in await spool.claim(account, limit=9, now=1.0)]
        for change in path(seqs, State.CONFIRMED):
            assert await spool.apply([change], now=1.0) == []
    assert (await spool.counts("one")) == NONE | {State.CONFIRMED: 3}
    assert (await spool.counts("two")) == NONE | {State.CONFIRMED: 2}


@pytest.mark.parametrize(
    "change",
    [
        Change(seqs=[1], to=State.SENDING, expect=(State.ACCEPTED,)),
        Change(seqs=[1, 1], to=State.ASSIGNED, expect=(State.ACCEPTED,)),
        Change(seqs=[1], to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=[]),
        Change(seqs=[1], to=State.ASSIGNED, expect=(State.ACCEPTED,), notes=["a", "b"]),
    ],
    ids=["no such move", "row twice", "list too short", "list too long"],
)
async def test_a_change_that_no_program_should_write_is_refused_whole(spool: Spool, change: Change) -> None:
    (seq,) = await store(spool, "a")
    with pytest.raises(ValueError, match=r"move|twice|workers|notes"):
        await spool.apply([*path([seq], State.ASSIGNED), change], now=1.0)
    assert (await spool.counts("acme"))[State.ACCEPTED] == 1


async def test_an_empty_change_does_nothing(spool: Spool) -> None:
    assert await spool.apply([], now=1.0) == []
    assert await spool.apply([Change(seqs=[], to=State.DEAD, expect=(State.ACCEPTED,))], now=1.0) == []


# -- open -------------------------------------------------------------------------------------------------------------


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


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_full_spool_refuses_whole_calls_and_takes_more_when_rows_settle(adapter: str, tmp_path: Path) -> None:
    """A repeated job needs no room and is answered even then."""
    spool = make_world(adapter, tmp_path, max_rows=3).spool
    await spool.open(now=0.0)
    seqs = await store(spool, *"ab")
    with pytest.raises(SpoolFull, match="full") as full:
        await spool.accept("acme", jobs("acd"), now=1.0)
    assert full.value.retry_after_s > 0
    assert await spool.receipt("acme", "c") is None
    assert (await spool.accept("acme", jobs("ab"), now=1.0))[0].seq == seqs[0]
    assert (await spool.accept("acme", jobs("c"), now=1.0))[0].fresh
    await spool.apply(path(seqs, State.CONFIRMED), now=2.0)
    assert [a.fresh for a in await spool.accept("acme", jobs("de"), now=3.0)] == [True, True]
    await spool.close()


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_the_row_limit_counts_each_account_for_itself(adapter: str, tmp_path: Path) -> None:
    """Also after the store was opened anew, whatever moved meanwhile."""
    world = make_world(adapter, tmp_path, max_rows=2)
    await world.spool.open(now=0.0)
    seqs = await store(world.spool, *"ab")
    for _ in range(2):
        with pytest.raises(SpoolFull, match="3 unsettled jobs of acme would be more than 2"):
            await world.spool.accept("acme", jobs("c"), now=1.0)
        assert len(await world.spool.accept("other", jobs("xy"), now=1.0)) == 2
        with pytest.raises(SpoolFull, match="of other"):
            await world.spool.accept("other", jobs("z"), now=1.0)
        await world.spool.close()
        await world.spool.open(now=1.0)
    await world.spool.apply(path(seqs[:1], State.CONFIRMED), now=2.0)
    with pytest.raises(SpoolFull, match="of other"):
        await world.spool.accept("other", jobs("z"), now=3.0)
    assert len(await world.spool.accept("acme", jobs("c"), now=3.0)) == 1
    await world.spool.close()


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_account_may_have_a_row_limit_of_its_own(adapter: str, tmp_path: Path) -> None:
    """It can change while the spool is open; what is there already stays when it falls."""
    spool = make_world(adapter, tmp_path, max_rows=1).spool
    spool.limit_rows("large", 3)
    await spool.open(now=0.0)
    assert len(await spool.accept("large", jobs("abc"), now=1.0)) == 3
    with pytest.raises(SpoolFull, match="more than 3"):
        await spool.accept("large", jobs("d"), now=1.0)
    with pytest.raises(SpoolFull, match="more than 1"):
        await spool.accept("small", jobs("ab"), now=1.0)
    spool.limit_rows("large", 1)
    with pytest.raises(SpoolFull, match="more than 1"):
        await spool.accept("large", jobs("d"), now=1.0)
    assert (await spool.counts("large"))[State.ACCEPTED] == 3
    spool.limit_rows("large", 0)
    assert len(await spool.accept("large", jobs("def"), now=1.0)) == 3
    await spool.close()


# -- questions --------------------------------------------------------------------------------------------------------


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


# -- side by side -----------------------------------------------------------------------------------------------------


async def test_workers_side_by_side_settle_every_row_once(spool: Spool) -> None:
    """Two stages over two accounts, with returns, back-offs and jobs arriving: nobody gets a row of another."""
    accounts = ("one", "two")
    total = 600
    in_hand: set[int] = set()
    settled: list[int] = []
    dice = random.Random(7)
    clock = 0.0

    async def arrive(account: str) -> None:
        for start in range(0, total, 40):
            await spool.accept(account, jobs(f"k{number}" for number in range(start, start + 40)), now=clock)
            await asyncio.sleep(0)

    async def work(account: str, state: State, *steps: State) -> None:
        nonlocal clock
        while len(settled) < total * len(accounts):
            clock += 1.0
            taken = await spool.claim(account, limit=dice.randint(1, 30), now=clock, states=(state,))
            seqs = [one.seq for one in taken]
            assert in_hand.isdisjoint(seqs)
            in_hand.update(seqs)
            await asyncio.sleep(0)
            in_hand.difference_update(seqs)
            back = [seq for seq in seqs if dice.random() < 0.2]
            on = [seq for seq in seqs if seq not in back]
            changes = [Change(seqs=on, to=to, expect=(before,)) for before, to in pairwise((state, *steps))]
            if dice.random() < 0.5:
                await spool.release(back)
            else:
                later = State.HELD if state is State.ACCEPTED else State.ACCEPTED
                changes.append(Change(seqs=back, to=later, expect=(state,), next_at=clock + 3.0))
            assert await spool.apply(changes, now=clock) == []
            if State.CONFIRMED in steps:
                settled.extend(on)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for account in accounts:
            group.create_task(arrive(account))
            for _ in range(3):
                group.create_task(work(account, State.ACCEPTED, State.ASSIGNED))
                group.create_task(work(account, State.HELD, State.ACCEPTED))
                group.create_task(work(account, State.ASSIGNED, State.SENDING, State.CONFIRMED))
    assert sorted(settled) == list(range(1, 2 * total + 1))
    assert await spool.counts("one") == NONE | {State.CONFIRMED: total}


# -- cancellation -----------------------------------------------------------------------------------------------------


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


# -- prune ------------------------------------------------------------------------------------------------------------


async def test_only_settled_rows_that_rested_long_enough_are_pruned_and_the_counters_follow(spool: Spool) -> None:
    """Rows rest since 110 here; the last row of all stays, so that no number is used twice."""
    for state in (State.CONFIRMED, State.REJECTED, State.DEAD):
        await store(spool, f"old-{state}", to=state)
    await store(spool, "waits", to=State.HELD)
    await store(spool, "other", account="beta", to=State.CONFIRMED)
    await store(spool, "last", to=State.CONFIRMED)
    assert await spool.prune(before=110.0) == 0
    assert await spool.prune(before=111.0, account="gamma") == 0
    assert await spool.prune(before=111.0, account="acme") == 3
    assert await spool.prune(before=111.0, account="acme") == 0
    assert await spool.counts("acme") == NONE | {State.HELD: 1, State.CONFIRMED: 1}
    assert await spool.prune(before=111.0) == 1
    assert await spool.counts("beta") == NONE
    assert [receipt.key for receipt in await spool.receipts("acme")] == ["waits", "last"]
    (again,) = await spool.accept("acme", [job("old-dead")], now=200.0)
    assert (again.fresh, again.version) == (True, 1)


async def test_pruning_goes_on_where_it_stopped_and_keeps_a_version_while_an_older_one_stays(spool: Spool) -> None:
    keys = [f"k{number}" for number in range(25)]
    await store(spool, *keys, to=State.CONFIRMED)
    (newer,) = await spool.accept("acme", [job("k3", "new")], now=112.0)
    (stays,) = await spool.accept("acme", [job("k4", "new")], now=112.0)
    await spool.apply(path([newer.seq, stays.seq], State.CONFIRMED), now=113.0)
    await store(spool, "end")
    assert [await spool.prune(before=112.0, limit=10) for _ in range(4)] == [10, 10, 5, 0]
    assert [receipt.key for receipt in await spool.receipts("acme", states=[State.CONFIRMED])] == ["k3", "k4"]
    (held,) = await store(spool, "k9", to=State.REJECTED)
    (after,) = await spool.accept("acme", [job("k9", "new")], now=120.0)
    await spool.apply(path([after.seq], State.CONFIRMED), now=121.0)
    await spool.apply([Change(seqs=[held], to=State.ACCEPTED, expect=(State.REJECTED,))], now=122.0)
    await store(spool, "the last")
    assert await spool.prune(before=500.0) == 2
    assert await spool.receipt("acme", "k9", version=2) is not None
