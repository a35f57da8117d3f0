"""Whose job may be offered to somebody else, and what is written down."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dispatcher.model.records import Receipt
from dispatcher.model.state import MOVES, State
from dispatcher.pipeline.reassigning import (
    ReassignRules,
    Why,
    edit,
    is_ours,
    passed_on,
    question,
    reassigned,
    still_open,
)
from tests.unit.pipeline.test_assigning import Said

RULES = ReassignRules(on=True, most=2)


def receipt(**fields: Any) -> Receipt:
    plain: dict[str, Any] = {"state": State.CONFIRMED, "worker": "ann", "remote_id": "1"}
    return Receipt(account="acme", key="A", version=1, seq=7, **(plain | fields))


def test_a_confirmed_job_whose_member_was_chosen_here_may_be_offered() -> None:
    assert is_ours(receipt(), rules=RULES)


@pytest.mark.parametrize(
    "other",
    [
        {"state": State.SENDING},
        {"worker": None},
        {"preassigned": True},
        {"autoassign": True},
        {"remote_id": None},
        {"note": '{"reassigned": [{"from": "x"}, {"from": "y"}]}'},
    ],
)
def test_no_other_job_is(other: dict[str, Any]) -> None:
    assert not is_ours(receipt(**other), rules=RULES)


OPEN = {"id": "1", "worker": "ann"}


def test_a_job_that_its_member_still_has_and_has_not_begun_is_open() -> None:
    assert still_open(OPEN, "ann", Why.OFF_DUTY)
    assert still_open(OPEN | {"tsRejected": 5}, "ann", Why.REJECTED)
    assert still_open({"id": "1", "worker": "", "assigneeUsername": "ann", "tsAccepted": 5}, "ann", Why.OFF_DUTY)


@pytest.mark.parametrize(
    "other",
    [{"worker": "bob"}, {"tsCheckIn": 5}, {"tsDoneSuccess": 5}, {"tsDoneFailed": 5}, {"status": "archived"}],
)
def test_what_a_person_or_the_member_did_since_stands(other: dict[str, Any]) -> None:
    assert not still_open(OPEN | other, "ann", Why.OFF_DUTY)
    assert not still_open(OPEN | {"tsRejected": 5} | other, "ann", Why.REJECTED)


def test_a_rejection_that_was_taken_back_is_none() -> None:
    assert not still_open(OPEN, "ann", Why.REJECTED)
    assert not still_open(OPEN | {"tsRejected": 5}, "ann", Why.OFF_DUTY)


def test_nobody_who_had_the_job_is_asked_again_and_the_callers_exclusions_stay() -> None:
    flat = question(b'{"uidSecondary":"A","custom_excluded_workers":"eve"}', "ann", ["bob"])
    listed = question(b'{"customFields":[{"key":"excluded_workers","val":"eve"},{"key":"x","val":"1"}]}', "ann", [])
    assert (flat["worker"], flat["customFields"]) == ("ann", [{"key": "excluded_workers", "val": "eve,bob,ann"}])
    assert listed["customFields"] == [{"key": "x", "val": "1"}, {"key": "excluded_workers", "val": "eve,ann"}]


def test_the_new_member_has_neither_rejected_nor_accepted_it() -> None:
    assert edit({"tsRejected": 5, "tsAccepted": 0}, "bob") == {"worker": "bob", "tsRejected": 0}
    assert edit({"tsAccepted": 4}, "bob") == {"worker": "bob", "tsAccepted": 0}


def test_the_receipt_tells_the_whole_story() -> None:
    first = reassigned(receipt(), Said("bob"), why=Why.REJECTED, at=10.0)
    assert (first.to in MOVES[State.CONFIRMED], first.workers) == (True, ["bob"])
    note = str((first.notes or [""])[0])
    second = reassigned(receipt(worker="bob", note=note), Said("eve"), why=Why.OFF_DUTY, at=20.0)
    text = str((second.notes or [""])[0])
    assert [one["from"] for one in passed_on(text)] == ["ann", "bob"]
    assert orjson.loads(text)["reassigned"][1] == {"from": "bob", "why": "off duty", "at": 20.0}
    assert orjson.loads(text)["distance_m"] == 1.5
    assert not is_ours(receipt(worker="eve", note=text), rules=RULES)
