"""A job found at the server compared with the job that was sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dispatcher.hellotracks import RemoteJob, carries
from dispatcher.hellotracks.remote_job import from_api, from_v1

SENT: dict[str, Any] = {
    "uidSecondary": "A",
    "destinationName": "Visit",
    "destinationLat": 45.464,
    "destinationLng": 9.19,
    "destinationText": "Via Roma 12",
    "day": 20231110,
    "priority": 5,
    "windowStart": 704,
    "windowEnd": 1724,
    "onSiteSeconds": 720,
    "worker": "ann@acme.com",
    "textDispatcher": "ring twice",
    "teamId": 3,
    "number": 1,
    "itemsToDropoff": 2,
    "itemsToPickup": 0,
    "contactName": "not compared",
}
V1: dict[str, Any] = {
    "id": "1",
    "externalId": "A",
    "title": "Visit",
    "address": "Via Roma 12",
    "notes": "ring twice",
    "date": "2023-11-10",
    "assigneeUsername": "ann@acme.com",
    "priority": 5,
    "timeWindow": {"start": "07:04", "end": "17:24"},
    "location": {"lat": 45.464, "lng": 9.19},
    "onSiteDurationSeconds": 720,
    "progress": "scheduled",
}


def api(**changes: object) -> RemoteJob:
    """The job as getjobs shows it."""
    remote = from_api({"id": "1", **SENT, "contactName": "", **changes})
    assert remote is not None
    return remote


def v1(**changes: object) -> RemoteJob:
    """The job as /v1 shows it."""
    remote = from_v1({**V1, **changes})
    assert remote is not None
    return remote


def body(**changes: object) -> bytes:
    """The job as it was sent."""
    return orjson.dumps({**SENT, **changes})


def test_a_job_carries_what_was_sent_under_both_apis() -> None:
    assert carries(api(), body())
    assert carries(v1(), body())
    assert set(api().fields) == set(SENT) - {"uidSecondary", "contactName"}


def test_fields_of_v1_come_back_under_their_api_names() -> None:
    assert v1().fields == {name: SENT[name] for name in SENT if name not in {
        "uidSecondary", "contactName", "teamId", "number", "itemsToDropoff", "itemsToPickup",
    }}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"destinationName": "Old"},
        {"destinationLat": 45.4640021},
        {"destinationLng": -9.19},
        {"destinationText": "Via Milano"},
        {"day": 20231111},
        {"day": 0},
        {"priority": 6},
        {"windowStart": 0},
        {"windowEnd": 2400},
        {"onSiteSeconds": 0},
        {"worker": "bob@acme.com"},
        {"worker": ""},
        {"textDispatcher": ""},
        {"teamId": 0},
        {"number": 2},
        {"itemsToDropoff": 0},
        {"itemsToPickup": 1},
        {"day": "tomorrow"},
    ],
)
def test_one_other_value_is_an_older_version(change: dict[str, object]) -> None:
    if change == {"worker": ""}:
        assert not carries(api(**change, assigneeUsername=""), body())
    assert not carries(api(**change), body())


@pytest.mark.parametrize(
    "change",
    [
        {"destinationLat": 45.4640009},
        {"day": "20231110"},
        {"priority": 5.0},
        {"priority": None},
        {"destinationText": None},
        {"teamId": True},
        {"teamId": {"id": 3}},
        {"worker": "", "assigneeUsername": "ann@acme.com"},
        {"worker": None, "assigneeUsername": "ann@acme.com"},
    ],
)
def test_the_same_value_in_another_form_or_none_at_all_is_not_held_against_it(change: dict[str, object]) -> None:
    assert carries(api(**change), body())


@pytest.mark.parametrize("change", [{"worker": ""}, {"worker": None}, {"priority": None}, {"day": "20231110"}])
def test_what_the_body_leaves_open_may_be_anything(change: dict[str, object]) -> None:
    assert carries(api(), body(**change))


def test_a_body_without_a_worker_does_not_mind_the_servers_choice() -> None:
    sent = {name: value for name, value in SENT.items() if name != "worker"}
    assert carries(api(worker="bob@acme.com"), orjson.dumps(sent))


def test_an_open_end_is_0_or_2400() -> None:
    assert carries(api(windowEnd=2400), body(windowEnd=0))
    assert carries(api(windowEnd=0), body(windowEnd=2400))
    assert not carries(api(windowEnd=0), body(windowEnd=1724))
    assert carries(v1(timeWindow={"start": "07:04", "end": "24:00"}), body(windowEnd=0))


def test_v1_without_a_date_or_member_is_not_the_dated_job_of_a_member() -> None:
    assert not carries(v1(date=None), body())
    assert not carries(v1(assigneeUsername=None), body())
    assert not carries(v1(assigneeUsername=""), body())
    assert not carries(v1(notes=None), body())
    assert v1(assigneeUsername=None, assignee={"username": "ann@acme.com"}).fields["worker"] == "ann@acme.com"


@pytest.mark.parametrize("missing", ["date", "assigneeUsername", "notes", "timeWindow", "location", "title"])
def test_what_v1_does_not_return_is_not_held_against_it(missing: str) -> None:
    remote = from_v1({name: value for name, value in V1.items() if name != missing})
    assert remote is not None
    assert carries(remote, body())


def test_v1_without_a_window_says_nothing_of_it() -> None:
    fields = v1(timeWindow=None).fields
    assert "windowStart" not in fields
    assert "windowEnd" not in fields


def test_archived_jobs_are_marked() -> None:
    assert api(status="archived").archived
    assert v1(progress="archived").archived
    assert not api().archived
    assert not v1().archived


@pytest.mark.parametrize("broken", [{"id": None}, {"id": ""}, {"id": True}, {"uidSecondary": None, "externalId": None}])
def test_a_job_without_id_or_key_is_none(broken: dict[str, object]) -> None:
    assert from_api({"id": "1", **SENT, **broken}) is None
    assert from_v1({**V1, **broken}) is None


@pytest.mark.parametrize("text", [b"", b"[]", b"{"])
def test_a_body_that_is_no_object_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a job"):
        carries(api(), text)
