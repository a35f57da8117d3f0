"""The comparison itself notices every field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import Decision, Reason
from tests.oracle.compare import differing_fields, differing_plan
from tests.oracle.decisions import PlainDecision

PLACED = PlainDecision(3, "a", "ann", 1000.0, 60.0, 2, 36_000.0)
REFUSED = PlainDecision(4, "b", None, reasons={"off_shift": (2, "ann")})


@pytest.mark.parametrize(
    "change",
    [
        {"key": "z"},
        {"worker": "bob"},
        {"position": 1},
        {"preassigned": True},
        {"distance_m": 1000.001},
        {"added_travel_s": None},
        {"start_s": 36_000.001},
        {"reasons": {"off_shift": Reason(2, "ann")}},
    ],
)
def test_a_decision_that_differs_in_one_field_is_told_apart(change: dict[str, object]) -> None:
    alike = Decision(3, "a", "ann", 1000.000_001, 60.0, 2, 36_000.0)
    assert differing_fields(alike, PLACED) == []
    assert len(differing_fields(replace(alike, **change), PLACED)) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", [Reason(1, "ann"), Reason(2, "bob"), Reason(2, None)])
def test_reasons_differ_by_count_and_by_example(reason: Reason) -> None:
    alike = Decision(4, "b", None, None, None, None, None, reasons={"off_shift": Reason(2, "ann")})
    assert differing_fields(alike, REFUSED) == []
    assert len(differing_fields(replace(alike, reasons={"off_shift": reason}), REFUSED)) == 1
    assert len(differing_fields(replace(alike, reasons=None), REFUSED)) == 1


def test_a_printed_plan_is_compared_job_by_job() -> None:
    placed = {"index": 3, "key": "a", "worker": "ann", "distance_m": 1000.0, "added_travel_s": 60.0, "position": 2}
    refused = {"index": 4, "key": "b", "worker": None, "reasons": {"off_shift": {"count": 2, "example": "ann"}}}
    assert differing_plan([placed | {"start_s": 36_000.0}, refused], [PLACED, REFUSED]) == []
    assert len(differing_plan([placed | {"start_s": 36_060.0}, refused | {"worker": "ann"}], [PLACED, REFUSED])) == 2
    assert differing_plan([refused], [PLACED, REFUSED]) != []
