"""What a webhook says of a job."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from dispatcher.pipeline.job_event import KNOWN, JobEvent, Told, action_name, read_events


def event(action: str, **fields: Any) -> JobEvent:
    job = {"id": "1", "uidSecondary": "A", "day": 20260105, "worker": "ann", "tsSaved": 9000} | fields
    (read,) = read_events(action, "", [job])
    return read


@pytest.mark.parametrize(
    ("action", "fields", "told"),
    [
        ("jobcreated", {}, Told.OPEN),
        ("jobupdated", {"day": "20260105"}, Told.OPEN),
        ("jobupdated", {"worker": "", "receiverUid": "u1"}, Told.OPEN),
        ("jobupdated", {"worker": ""}, Told.OVER),
        ("jobupdated", {"tsRejected": 5}, Told.OVER),
        ("jobupdated", {"tsDoneFailed": 5}, Told.OVER),
        ("jobupdated", {"status": "archived"}, Told.OVER),
        ("jobchecked", {}, Told.OPEN),
        ("jobcompleted", {}, Told.OVER),
        ("jobarchived", {}, Told.OVER),
        ("jobdeleted", {}, Told.DELETED),
    ],
)
def test_an_action_and_its_job_say_where_the_job_stands(action: str, fields: dict[str, Any], told: Told) -> None:
    read = event(action, **fields)
    assert (read.told, read.names, read.day, read.saved_ms) == (told, ("A", "1"), 20260105, 9000)


def test_both_spellings_of_an_action_are_one() -> None:
    assert action_name(" Job_Completed ") == "jobcompleted"
    assert {action_name(name) for name in ("job_created", "job_updated", "job_deleted")} <= KNOWN


def test_who_checked_in_is_there_even_if_the_job_does_not_say_so() -> None:
    assert event("jobcheckin").job["tsCheckIn"] == 9000
    assert event("jobcheckin", tsCheckIn=7).job["tsCheckIn"] == 7


def test_without_a_day_or_a_member_an_event_is_not_clear() -> None:
    (bare,) = read_events("jobupdated", "1", [{"destinationName": "Lift"}])
    assert (bare.told, bare.names, bare.saved_ms) == (Told.UNCLEAR, ("1",), 0)


def test_an_id_alone_is_enough_to_know_what_is_gone() -> None:
    (gone,) = read_events("jobdeleted", "1", [])
    assert (gone.told, gone.names) == (Told.DELETED, ("1",))
    assert read_events("jobdeleted", "", [{}]) == []


def test_the_newest_of_a_jobs_own_times_stands_in_for_when_it_was_saved() -> None:
    assert event("jobupdated", tsSaved=None, tsCreated=3, tsAccepted=8, tsAssigned="5").saved_ms == 8


def test_whatever_the_order_the_newest_event_is_the_one_that_counts() -> None:
    """Every order of four events ends with the last one; a deletion is final."""
    story = [event("jobcreated", tsSaved=1), event("jobupdated", tsSaved=2), event("jobcompleted", tsSaved=3)]
    story.append(event("jobdeleted", tsSaved=3))
    for count in (2, 3, 4):
        for order in permutations(story[:count]):
            known = order[0]
            for later in order[1:]:
                if later.follows(known.saved_ms, known.told):
                    known = later
            assert known is story[count - 1]


def test_the_same_event_again_is_no_news_and_one_without_a_time_always_is() -> None:
    first = event("jobupdated")
    assert not first.follows(first.saved_ms, first.told)
    timeless = event("jobupdated", tsSaved=0)
    assert timeless.follows(9000, Told.OPEN)
    assert not timeless.follows(0, Told.DELETED)


@pytest.mark.parametrize("bad", [True, -5, 1e30, "12.5", "x" * 40, [], {}, float("nan")])
def test_odd_values_count_as_none(bad: object) -> None:
    read = event("jobupdated", day=bad, tsSaved=bad, tsDoneSuccess=bad if bad != 1e30 else 0)
    assert (read.told, read.day, read.saved_ms) == (Told.OPEN, 0, 0)
