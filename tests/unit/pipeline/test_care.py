"""Single jobs taken back, changed and replayed, in every spool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

import orjson
import pytest

from dispatcher.errors import InvalidJobs, SpoolFull, TooLate
from dispatcher.model.job import read_job
from dispatcher.model.records import IS_TEMPLATE, Change, NewJob, Receipt
from dispatcher.model.state import State
from dispatcher.pipeline import Care
from dispatcher.spool import Spool
from tests.conformance.world import ADAPTERS, PATHS, make_world, path
from tests.unit.pipeline.clocks import Still

UNSENT = (State.ACCEPTED, State.ASSIGNED, State.HELD)
TOO_LATE = (State.SENDING, State.UNKNOWN, State.CONFIRMED)


@pytest.fixture(params=ADAPTERS)
async def spool(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spool]:
    opened = make_world(request.param, tmp_path).spool
    await opened.open(now=0.0)
    yield opened
    await opened.close()


@pytest.fixture
def care(spool: Spool) -> Care:
    return Care("acme", spool, Still(200.0))


def job(key: str = "A", **fields: object) -> NewJob:
    return read_job({"uidSecondary": key, "destinationLat": 45.0, "destinationLng": 7.0} | fields, switches=IS_TEMPLATE)


async def store(spool: Spool, new: NewJob, to: State = State.ACCEPTED) -> int:
    (row,) = await spool.accept("acme", [new], now=100.0)
    await spool.apply(path([row.seq], to), now=110.0)
    return row.seq


async def states(care: Care, key: str = "A") -> list[State]:
    return [row.state for row in await care.versions(key)]


async def body(spool: Spool, row: Receipt | None) -> dict[str, object]:
    assert row is not None
    fields: dict[str, object] = orjson.loads((await spool.bodies("acme", [row.seq]))[row.seq])
    return fields


# -- delete -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", UNSENT)
async def test_a_job_that_waits_is_taken_back_and_stays_so(spool: Spool, care: Care, state: State) -> None:
    """It is no dead letter, and the same job submitted once more is not sent by accident."""
    await store(spool, job(), state)
    done = await care.delete("A")
    assert ([row.version for row in done.withdrawn], done.left) == ([1], [])
    assert done.withdrawn[0].withdrawn
    (again,) = await spool.accept("acme", [job()], now=300.0)
    assert (again.fresh, again.state) == (False, State.DEAD)
    assert await spool.claim("acme", limit=9, now=1e9, states=list(State)[:5]) == []


@pytest.mark.parametrize("state", TOO_LATE)
async def test_what_may_be_at_the_server_is_left_alone_and_reported(spool: Spool, care: Care, state: State) -> None:
    await store(spool, job(), state)
    done = await care.delete("A")
    assert (done.withdrawn, [row.state for row in done.left]) == ([], [state])
    assert await states(care) == [state]


async def test_every_version_that_was_not_sent_goes(spool: Spool, care: Care) -> None:
    await store(spool, job(), State.UNKNOWN)
    await store(spool, job(priority=1))
    await store(spool, job(priority=2))
    done = await care.delete("A")
    assert ([row.version for row in done.withdrawn], [row.version for row in done.left]) == ([2, 3], [1])
    assert await states(care) == [State.UNKNOWN, State.DEAD, State.DEAD]


async def test_an_unknown_key_and_a_dead_letter_have_nothing_to_take_back(spool: Spool, care: Care) -> None:
    await store(spool, job(), State.REJECTED)
    for key in ("A", "nobody"):
        done = await care.delete(key)
        assert (done.withdrawn, done.left) == ([], [])


async def test_a_job_that_moves_on_meanwhile_is_not_called_taken_back(spool: Spool) -> None:
    seq = await store(spool, job(), State.ASSIGNED)

    async def sent_first(changes: Sequence[Change]) -> list[int]:
        await spool.apply([Change(seqs=[seq], to=State.SENDING, expect=(State.ASSIGNED,))], now=150.0)
        return await spool.apply(changes, now=151.0)

    done = await Care("acme", spool, Still(200.0), write=sent_first).delete("A")
    assert (done.withdrawn, [row.state for row in done.left]) == ([], [State.SENDING])


async def test_the_place_in_the_day_route_is_free_only_when_there_was_one(spool: Spool) -> None:
    freed: list[tuple[str, set[int]]] = []

    async def free(keys: list[str], days: Collection[int]) -> None:
        freed.extend((key, set(days)) for key in keys)

    await store(spool, job("A"))
    seq = await store(spool, job("B"))
    await spool.apply([Change(seqs=[seq], to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=["ann"])], now=120.0)
    care = Care("acme", spool, Still(200.0), free=free)
    await care.delete("A")
    await care.delete("B")
    assert freed == [("B", {0})]


# -- edit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", UNSENT)
async def test_a_changed_job_replaces_the_one_that_waits(spool: Spool, care: Care, state: State) -> None:
    await store(spool, job(notes="old", contactName="Ann"), state)
    new = await care.edit("A", {"notes": "new", "contactName": None, "priority": 9})
    assert new is not None
    assert (new.version, new.state, new.priority, new.switches) == (2, State.ACCEPTED, 9, IS_TEMPLATE)
    fields = await body(spool, new)
    assert (fields["notes"], fields["priority"], "contactName" in fields) == ("new", 9, False)
    old, _ = await care.versions("A")
    assert (old.withdrawn, old.error) == (True, "withdrawn: replaced by version 2 before it was sent")
    assert [one.version for one in await spool.claim("acme", limit=9, now=1e9)] == [2]


@pytest.mark.parametrize("state", TOO_LATE)
async def test_what_may_be_at_the_server_is_not_edited(spool: Spool, care: Care, state: State) -> None:
    await store(spool, job(), state)
    with pytest.raises(TooLate, match=f"A is {state}.*submit it anew"):
        await care.edit("A", {"notes": "x"})
    assert await states(care) == [state]


async def test_an_edit_that_would_be_refused_changes_nothing(spool: Spool, care: Care) -> None:
    await store(spool, job())
    for fields in ({"priority": 11}, {"destinationLat": None}, {"uidSecondary": "B"}):
        with pytest.raises(InvalidJobs, match=next(iter(fields))):
            await care.edit("A", fields)
    assert await states(care) == [State.ACCEPTED]


async def test_an_edit_without_a_difference_makes_no_version(spool: Spool, care: Care) -> None:
    await store(spool, job(priority=7))
    same = await care.edit("A", {"priority": 7, "uidSecondary": "A"})
    assert same is not None
    assert (same.version, same.state) == (1, State.ACCEPTED)
    assert await care.edit("nobody", {"priority": 7}) is None


async def test_a_job_that_goes_out_meanwhile_is_followed_by_its_new_version(spool: Spool) -> None:
    """The new version is stored first, so neither a race nor a crash in between loses the job."""
    seq = await store(spool, job(), State.ASSIGNED)

    async def sent_first(changes: Sequence[Change]) -> list[int]:
        await spool.apply([Change(seqs=[seq], to=State.SENDING, expect=(State.ASSIGNED,))], now=150.0)
        return await spool.apply(changes, now=151.0)

    care = Care("acme", spool, Still(200.0), write=sent_first)
    new = await care.edit("A", {"notes": "new"})
    assert new is not None
    assert await states(care) == [State.SENDING, State.ACCEPTED]
    assert await spool.claim("acme", limit=9, now=1e9) == []


async def test_a_full_spool_refuses_the_edit_and_keeps_the_job(tmp_path: Path) -> None:
    spool = make_world("sqlite", tmp_path, max_rows=1).spool
    await spool.open(now=0.0)
    await store(spool, job())
    care = Care("acme", spool, Still(200.0))
    with pytest.raises(SpoolFull):
        await care.edit("A", {"notes": "new"})
    assert await states(care) == [State.ACCEPTED]
    await spool.close()


@pytest.mark.parametrize("state", [State.REJECTED, State.DEAD])
async def test_an_edited_dead_letter_is_a_new_version_beside_the_old(spool: Spool, care: Care, state: State) -> None:
    await store(spool, job(), state)
    with pytest.raises(TooLate, match="dead edit"):
        await care.edit("A", {"notes": "x"})
    new = await care.edit("A", {"notes": "x"}, dead=True)
    assert new is not None
    assert (new.version, await states(care)) == (2, [state, State.ACCEPTED])
    with pytest.raises(TooLate, match="not rejected or dead"):
        await care.edit("A", {"notes": "y"}, dead=True)


# -- replay -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.REJECTED, State.DEAD])
async def test_a_replayed_job_begins_anew(spool: Spool, care: Care, state: State) -> None:
    """Its attempts and refusals are not counted on, and what was decided is decided once more."""
    seq = await store(spool, job(), State.ASSIGNED)
    away = State.UNKNOWN if state is State.DEAD else State.SENDING
    steps = [
        Change(
            seqs=[seq],
            to=State.SENDING,
            expect=(State.ASSIGNED,),
            workers=["ann"],
            notes=["{}"],
            add_attempts=12,
            add_refusals=3,
            sent_at=120.0,
            settle_by=130.0,
        ),
        *([Change(seqs=[seq], to=State.UNKNOWN, expect=(State.SENDING,))] if away is State.UNKNOWN else []),
        Change(seqs=[seq], to=state, expect=(away,), error="no such place"),
    ]
    await spool.apply(steps, now=140.0)
    assert [row.seq for row in await care.replay(await care.versions("A"))] == [seq]
    (taken,) = await spool.claim("acme", limit=9, now=200.0)
    assert (taken.state, taken.worker, taken.autoassign) == (State.ACCEPTED, None, False)
    assert (taken.attempts, taken.refusals, taken.sent_at, taken.settle_by) == (0, 0, 0.0, 0.0)
    (row,) = await care.versions("A")
    assert (row.error, row.note) == ("no such place", "")


async def test_a_member_named_by_the_caller_stays_named(spool: Spool, care: Care) -> None:
    await store(spool, job(worker="ann@acme.com"), State.DEAD)
    await care.replay(await care.versions("A"))
    (taken,) = await spool.claim("acme", limit=9, now=200.0)
    assert (taken.worker, taken.preassigned) == ("ann@acme.com", True)


async def test_an_older_version_is_never_replayed_over_a_newer_one(spool: Spool, care: Care) -> None:
    await store(spool, job(), State.DEAD)
    await store(spool, job(priority=1), State.CONFIRMED)
    assert await care.replay(await care.versions("A")) == []
    assert await states(care) == [State.DEAD, State.CONFIRMED]


@pytest.mark.parametrize("state", [state for state in PATHS if not state.settled] + [State.CONFIRMED])
async def test_what_is_no_dead_letter_is_not_replayed(spool: Spool, care: Care, state: State) -> None:
    await store(spool, job(), state)
    assert await care.replay(await care.versions("A")) == []
    assert await states(care) == [state]


async def test_many_dead_letters_are_replayed_in_their_order(spool: Spool, care: Care) -> None:
    rows = await spool.accept("acme", [job(f"K{n}") for n in range(2300)], now=100.0)
    await spool.apply(path([row.seq for row in rows], State.REJECTED), now=110.0)
    dead = await spool.receipts("acme", states=[State.REJECTED], limit=5000)
    assert len(await care.replay(dead)) == 2300
    assert [one.key for one in await spool.claim("acme", limit=5000, now=200.0)] == [f"K{n}" for n in range(2300)]


async def test_what_was_withdrawn_can_be_replayed_by_those_who_ask_for_it(spool: Spool, care: Care) -> None:
    await store(spool, job())
    await care.delete("A")
    await care.replay(await care.versions("A"))
    assert await states(care) == [State.ACCEPTED]
