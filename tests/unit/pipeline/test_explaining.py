"""An explanation says where a job is, why it waits and when it goes next, from what is known."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dispatcher.flow import AccountGate, GateReport, parse_limits
from dispatcher.model.records import WITHDRAWN, Receipt
from dispatcher.model.state import State
from dispatcher.pipeline.explaining import Explanation, explain

NOW = 1000.0


def receipt(state: State, **fields: Any) -> Receipt:
    plain: dict[str, Any] = {
        "account": "acme",
        "key": "A",
        "version": 1,
        "seq": 1,
        "state": state,
        "accepted_at": 900.0,
    }
    return Receipt(**(plain | fields))


def told(*versions: Receipt, owner: int | None = None, gate: GateReport | None = None, **more: Any) -> Explanation:
    return explain(versions, now=NOW, clock=lambda at: f"@{at:g}", owner=owner, gate=gate, **more)


def report(**happened: Any) -> GateReport:
    """A gate after some requests: `begun` are under way, `failed` ended so."""
    gate = AccountGate(
        limits=parse_limits(happened.get("limits", "")), max_concurrency=1, now=0.0, rng=random.Random(1)
    )
    for _ in range(happened.get("begun", 0)):
        gate.begin(10.0)
    if outcome := happened.get("ended"):
        gate.begin(10.0)
        gate.finish(10.0, 0.0, outcome, retry_after_s=happened.get("retry_after_s"))
    return gate.snapshot(10.0)


@pytest.mark.parametrize(
    ("row", "waits_for", "next_at"),
    [
        (receipt(State.ACCEPTED), "assignment", NOW),
        (receipt(State.HELD, next_at=1015.0), "member", 1015.0),
        (receipt(State.ASSIGNED), "turn", NOW),
        (receipt(State.ASSIGNED, next_at=990.0), "turn", NOW),
        (receipt(State.ASSIGNED, next_at=1004.0, error="429"), "backoff", 1004.0),
        (receipt(State.SENDING, sent_at=999.0), "reply", None),
        (receipt(State.UNKNOWN, next_at=1000.2, settle_by=1005.0), "look_up", 1000.2),
        (receipt(State.CONFIRMED, remote_id="77"), "", None),
        (receipt(State.REJECTED, error="no such place"), "person", None),
        (receipt(State.DEAD, error="given up after 12 attempts"), "person", None),
        (receipt(State.DEAD, error=f"{WITHDRAWN}deleted"), "", None),
    ],
    ids=lambda value: value.state.value if isinstance(value, Receipt) else None,
)
def test_each_state_says_what_it_waits_for_and_when_it_goes_next(
    row: Receipt, waits_for: str, next_at: float | None
) -> None:
    explanation = told(row)
    assert (explanation.waits_for, explanation.next_at) == (waits_for, next_at)
    assert explanation.where
    assert explanation.next_step
    assert bool(explanation.why) is bool(waits_for)


def test_what_happened_is_told_in_order() -> None:
    row = receipt(
        State.ASSIGNED, attempts=2, refusals=1, sent_at=950.0, updated_at=960.0, error="bad place", worker="ann@x"
    )
    assert told(row).happened == [
        "Accepted @900.",
        "2 requests may have gone out with it, the last @950.",
        "The server refused it alone once; the third time is believed.",
        "Last error: bad place",
        "Last change @960.",
    ]
    assert "ann@x" in told(row).where


def test_an_older_version_goes_first() -> None:
    older = receipt(State.UNKNOWN)
    explanation = told(older, receipt(State.ACCEPTED, version=2))
    assert explanation.waits_for == "older_version"
    assert "Version 1 of the key goes first and is unknown" in explanation.why
    assert explanation.versions == [(1, State.UNKNOWN), (2, State.ACCEPTED)]
    assert told(receipt(State.CONFIRMED), receipt(State.ACCEPTED, version=2)).waits_for == "assignment"


@pytest.mark.parametrize(
    ("happened", "why", "named"),
    [
        ({"begun": 1}, "concurrency", False),
        ({"ended": "throttled", "retry_after_s": 7.0}, "blocked", True),
        ({"ended": "denied"}, "denied", False),
        ({"limits": "1/min"}, "limit", True),
    ],
)
def test_a_ready_job_waits_for_what_the_gate_waits_for(happened: dict[str, Any], why: str, *, named: bool) -> None:
    gate = report(**happened)
    assert gate.why == why
    explanation = told(receipt(State.ASSIGNED), gate=gate)
    assert explanation.waits_for == why
    assert (explanation.next_at is not None) is named
    assert told(receipt(State.UNKNOWN), gate=gate).waits_for == why
    assert told(receipt(State.ASSIGNED, next_at=1004.0), gate=gate).waits_for == "backoff"
    if why == "limit":
        assert "1/min" in explanation.why


def test_a_job_that_nobody_works_on_says_so_first() -> None:
    explanation = told(receipt(State.ASSIGNED, next_at=1004.0, error="429"), owner=0)
    assert (explanation.waits_for, explanation.next_at) == ("process", None)
    assert explanation.why == "No process works on this spool. Beyond that: it is tried again after a pause: 429"
    assert told(receipt(State.CONFIRMED), owner=0).waits_for == ""
    assert told(receipt(State.ASSIGNED), owner=42).waits_for == "turn"


def test_an_unusable_fleet_is_named() -> None:
    assert "no members today" in told(receipt(State.ACCEPTED), fleet="no members today").why
