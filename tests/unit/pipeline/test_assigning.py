"""What becomes of decided jobs."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest

from dispatcher.model.records import AUTOASSIGN
from dispatcher.model.state import MOVES, State
from dispatcher.pipeline.assigning import HOLD_RETRY_S, Assignment, AssignRules, assign
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
