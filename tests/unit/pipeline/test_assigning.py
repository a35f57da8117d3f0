"""What becomes of decided jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from dispatcher.model.records import AUTOASSIGN, Change
from dispatcher.model.state import MOVES, State
from dispatcher.pipeline.assigning import HOLD_RETRY_S, Assignment, AssignRules, assign
from dispatcher.pipeline.calendar import moment
from tests.unit.pipeline.jobs import spooled

NOW = 1000.0


@dataclass(frozen=True)
class Said:
    """What an engine says."""

    worker: str | None
    distance_m: float | None = 1.5
    added_travel_s: float | None = 2.5
    position: int | None = 0
    start_s: float | None = 28800.0


def decide(*jobs: dict[str, object], said: list[Said] | None = None, fallback: str = "autoassign") -> Assignment:
    rows = [spooled(seq, state=State.ACCEPTED, **fields) for seq, fields in enumerate(jobs, start=1)]
    return assign(rows, said, now=NOW, rules=AssignRules(engine=True, fallback=fallback))


def test_a_member_found_goes_with_the_job_and_the_decision_is_noted() -> None:
    (change,) = decide({}, said=[Said("ann")]).changes
    assert (change.to, list(change.workers or ()), change.autoassign) == (State.ASSIGNED, ["ann"], False)
    assert orjson.loads((change.notes or [""])[0] or "") == {
        "distance_m": 1.5,
        "added_travel_s": 2.5,
        "position": 0,
        "start_s": 28800.0,
    }


def test_a_named_member_is_kept_whatever_the_engine_says() -> None:
    assignment = decide({"worker": "bob", "preassigned": True, "switches": AUTOASSIGN}, said=[Said("ann")])
    (change,) = assignment.changes
    assert (change.workers, change.autoassign, assignment.preassigned) == (None, False, 1)


@pytest.mark.parametrize(("fallback", "asks"), [("autoassign", [True, True]), ("unassigned", [False, True])])
def test_the_fallback_never_drops_the_callers_wish(fallback: str, asks: list[bool]) -> None:
    assignment = decide({}, {"switches": AUTOASSIGN}, said=[Said(None), Said(None)], fallback=fallback)
    asked = {seq: change.autoassign for change in assignment.changes for seq in change.seqs}
    assert [asked[1], asked[2]] == asks


def test_hold_waits_and_is_offered_again() -> None:
    (change,) = decide({}, said=[Said(None)], fallback="hold").changes
    assert (change.to, change.next_at) == (State.HELD, NOW + HOLD_RETRY_S)


def test_without_a_usable_fleet_the_fallback_decides_for_all() -> None:
    assignment = decide({}, {}, said=None)
    assert (assignment.fallback, [change.autoassign for change in assignment.changes]) == (2, [True])


def test_without_an_engine_jobs_keep_the_callers_switches() -> None:
    rows = [spooled(1), spooled(2, switches=AUTOASSIGN)]
    assignment = assign(rows, None, now=NOW, rules=AssignRules(engine=False, fallback="hold"))
    assert {seq: c.autoassign for c in assignment.changes for seq in c.seqs} == {1: False, 2: True}


@pytest.mark.parametrize("fallback", ["autoassign", "unassigned", "hold"])
def test_every_job_moves_once_and_as_allowed(fallback: str) -> None:
    jobs: list[dict[str, object]] = [{}, {"preassigned": True, "worker": "x"}, {}, {"switches": 7}]
    said = [Said("ann"), Said(None), Said(None), Said(None)]
    assignment = decide(*jobs, said=said, fallback=fallback)
    assert sorted(seq for change in assignment.changes for seq in change.seqs) == [1, 2, 3, 4]
    assert all(change.to in MOVES[before] for change in assignment.changes for before in change.expect)


# -- hold -------------------------------------------------------------------------------------------------------------

DAY = 20260105
MORNING = moment(DAY, 900, "UTC")


def held(*jobs: dict[str, object], now: float = MORNING, accepted: float = MORNING, **rules: Any) -> list[Change]:
    rows = [spooled(seq, **({"state": State.HELD, "day": DAY} | fields)) for seq, fields in enumerate(jobs, start=1)]
    chosen: dict[str, Any] = {"engine": True, "fallback": "hold"} | rules
    return assign(
        rows,
        [Said(None)] * len(rows),
        now=now,
        rules=AssignRules(**chosen),
        accepted_at={row.seq: accepted for row in rows},
    ).changes


def test_a_job_is_held_for_as_long_as_its_day_lasts() -> None:
    (change,) = held({})
    assert (change.to, change.next_at) == (State.HELD, MORNING + HOLD_RETRY_S)
    (over,) = held({}, now=moment(DAY, 2400, "UTC"))
    assert (over.to, over.autoassign) == (State.ASSIGNED, True)


def test_a_window_that_has_closed_ends_the_hold() -> None:
    body = b'{"uidSecondary":"K","windowEnd":1130}'
    half_past_eleven = moment(DAY, 1130, "UTC")
    (change,) = held({"body": body}, now=half_past_eleven - 1)
    assert (change.to, change.next_at) == (State.HELD, half_past_eleven)
    (over,) = held({"body": body}, now=half_past_eleven, hold_then="unassigned")
    assert (over.to, over.autoassign) == (State.ASSIGNED, False)


def test_the_day_and_the_window_end_in_the_accounts_zone() -> None:
    (change,) = held({}, now=moment(DAY, 2330, "UTC"), timezone="Europe/Rome")
    assert change.to is State.ASSIGNED


def test_an_undated_job_is_held_for_as_long_as_it_takes_or_for_the_time_that_was_set() -> None:
    body = b'{"uidSecondary":"K","windowEnd":1130}'
    (change,) = held({"day": 0, "body": body}, now=MORNING + 30 * 86_400)
    assert change.to is State.HELD
    (over,) = held({"day": 0}, now=MORNING + 3600, hold_until_s=3600)
    assert over.to is State.ASSIGNED


def test_the_time_that_was_set_counts_from_the_acceptance_and_ends_a_hold_early() -> None:
    (change,) = held({}, now=MORNING + 3590, hold_until_s=3600)
    assert (change.to, change.next_at) == (State.HELD, MORNING + 3600)
    (over,) = held({}, now=MORNING + 3600, hold_until_s=3600)
    assert over.to is State.ASSIGNED


def test_a_wish_for_autoassign_outlives_a_hold_in_vain() -> None:
    changes = held({"switches": AUTOASSIGN}, {}, now=MORNING + 60, hold_until_s=60, hold_then="unassigned")
    assert {seq: change.autoassign for change in changes for seq in change.seqs} == {1: True, 2: False}


@pytest.mark.parametrize(
    "body", [b'{"windowEnd":0}', b'{"windowEnd":2400}', b'{"windowEnd":"9"}', b'{"windowEnd":1175}']
)
def test_an_open_or_odd_window_is_as_long_as_the_day(body: bytes) -> None:
    (change,) = held({"body": body}, now=moment(DAY, 2359, "UTC"))
    assert change.to is State.HELD


def test_a_job_of_no_day_at_all_is_not_held() -> None:
    (change,) = held({"day": 20261301})
    assert change.to is State.ASSIGNED
