"""The daemon's reply to createjobs."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.daemon.created import job_object, outcome, receipt_path
from dispatcher.model.job import read_job
from dispatcher.model.job_object import JOB_DEFAULTS, SERVER_FIELDS
from dispatcher.model.records import NewJob, Receipt
from dispatcher.model.state import State


def job(key: str, **fields: Any) -> NewJob:
    return read_job({"uidSecondary": key, "destinationLat": 45.0, "destinationLng": 7.0} | fields)


def receipt(key: str, state: State = State.CONFIRMED, **fields: Any) -> Receipt:
    plain: dict[str, Any] = {"remote_id": f"id-{key}", "accepted_at": 1.5, "updated_at": 2.5}
    return Receipt(account="a", key=key, version=1, seq=1, state=state, **(plain | fields))


def test_a_confirmed_job_has_every_documented_field() -> None:
    made = job_object(job("A", priority=9, custom_x="y"), receipt("A", worker="ann@acme.com"))
    assert JOB_DEFAULTS.keys() | set(SERVER_FIELDS) - {"status"} <= made.keys()
    assert (made["id"], made["priority"], made["custom_x"], made["onSiteSeconds"]) == ("id-A", 9, "y", 720)
    assert (made["worker"], made["assigneeUsername"]) == ("ann@acme.com", "ann@acme.com")
    assert (made["tsCreated"], made["tsSaved"], made["tsAssigned"]) == (1500, 2500, 2500)


def test_a_member_named_by_uid_stays_one_named_by_uid() -> None:
    made = job_object(job("A", receiverUid="u1"), receipt("A", worker="u1", preassigned=True))
    assert (made["worker"], made["receiverUid"]) == ("", "u1")


def test_all_confirmed_is_status_0_in_the_requests_order() -> None:
    http_status, document = outcome([job("B"), job("A")], [receipt("B"), receipt("A")])
    assert (http_status, document["status"]) == (200, 0)
    assert [one["uidSecondary"] for one in document["jobs"]] == ["B", "A"]


@pytest.mark.parametrize("state", [State.REJECTED, State.DEAD])
def test_a_job_that_was_not_created_is_named_beside_those_that_were(state: State) -> None:
    http_status, document = outcome([job("A"), job("B")], [receipt("A", state, error="too far"), receipt("B")])
    assert (http_status, document["status"]) == (200, 1)
    assert document["errors"] == [{"index": 0, "uidSecondary": "A", "state": state, "message": "too far"}]
    assert [one["uidSecondary"] for one in document["jobs"]] == ["B"]
    assert "too far" in document["message"]


@pytest.mark.parametrize("state", [state for state in State if not state.settled])
def test_while_one_is_open_all_are_told_with_their_state(state: State) -> None:
    http_status, document = outcome([job("A"), job("B")], [receipt("A", state), receipt("B")])
    assert (http_status, document["status"]) == (202, 0)
    assert document["jobs"] == [
        {"uidSecondary": "A", "state": state, "receipt": "/jobs/A"},
        {"uidSecondary": "B", "state": "confirmed", "receipt": "/jobs/B"},
    ]


def test_a_job_refused_already_is_an_error_while_others_are_open() -> None:
    http_status, document = outcome(
        [job("A"), job("B")], [receipt("A", State.REJECTED, error="bad"), receipt("B", State.SENDING)]
    )
    assert (http_status, document["status"], document["errors"][0]["index"]) == (202, 1, 0)


def test_a_receipts_path_is_one_path_segment() -> None:
    assert receipt_path("a/b ?#%ü") == "/jobs/a%2Fb%20%3F%23%25%C3%BC"
