"""The port: changes of rows. For every adapter."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.model.records import Change, Receipt
from dispatcher.model.state import State
from dispatcher.spool import Spool
from tests.conformance.stored import NONE, store
from tests.conformance.world import jobs, path


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
