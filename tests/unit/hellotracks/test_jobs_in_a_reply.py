"""Matching a createjobs reply with what was sent, and completing a stored job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.hellotracks import CreatedJob, with_worker
from dispatcher.hellotracks.created import keys_of, matched
from dispatcher.hellotracks.verdict import Reply


def match(sent: Sequence[dict[str, Any]], jobs: object) -> list[CreatedJob | None]:
    """Match stored jobs with the jobs of a good reply."""
    bodies = [orjson.dumps(job) for job in sent]
    reply = Reply(action="createjobs", http_status=200, body=orjson.dumps({"jobs": jobs, "status": 0}))
    return matched(keys_of(bodies), bodies, reply)


def ids(answers: Sequence[CreatedJob | None]) -> list[str | None]:
    return [answer.id if answer else None for answer in answers]


A, B, C = ({"uidSecondary": key, "destinationName": key, "destinationLat": 45.1, "destinationLng": 9} for key in "ABC")


def test_answers_follow_the_request_whatever_the_order_of_the_reply() -> None:
    jobs = [{"id": f"i{key}", "uidSecondary": key, "worker": "ann" if key == "B" else ""} for key in "CAB"]
    answers = match([A, B, C], jobs)
    assert answers == [CreatedJob("iA", "A", ""), CreatedJob("iB", "B", "ann"), CreatedJob("iC", "C", "")]


def test_a_job_that_the_reply_leaves_out_is_none() -> None:
    assert ids(match([A, B, C], [{"id": "iC", "uidSecondary": "C"}, {"id": "i?", "uidSecondary": "?"}])) == [
        None,
        None,
        "iC",
    ]
    assert match([A, B], []) == [None, None]


@pytest.mark.parametrize(
    "odd", [None, 7, "x", [], {}, {"id": "iB"}, {"uidSecondary": "B"}, {"id": "", "uidSecondary": "B"}]
)
def test_a_thing_in_the_reply_that_is_no_job_spoils_nothing_else(odd: object) -> None:
    assert ids(match([A, B, C], [{"id": "iA", "uidSecondary": "A"}, odd, {"id": "iC", "uidSecondary": "C"}])) == [
        "iA",
        None,
        "iC",
    ]


def test_odd_types_are_read_for_what_they_mean() -> None:
    jobs = [{"id": 17, "uidSecondary": 5, "worker": None, "assigneeUsername": "ann"}]
    assert match([{"uidSecondary": "5"}], jobs) == [CreatedJob("17", "5", "ann")]
    assert match([{"uidSecondary": 5}], jobs) == [CreatedJob("17", "5", "ann")]


def test_the_assignee_counts_where_the_worker_is_empty() -> None:
    jobs = [{"id": "1", "uidSecondary": "A", "worker": "", "assigneeUsername": "ann"}]
    assert match([A], jobs) == [CreatedJob("1", "A", "ann")]


def test_a_reply_without_any_key_is_matched_by_place_when_the_content_agrees() -> None:
    jobs = [
        {"id": f"i{name}", "destinationName": name, "destinationLat": 45.1000001, "destinationLng": 9.0}
        for name in "AB"
    ]
    assert match([A, B], jobs) == [CreatedJob("iA", "A", ""), CreatedJob("iB", "B", "")]


@pytest.mark.parametrize(
    "change",
    [
        {"destinationName": "other"},
        {"destinationLat": -45.1},
        {"destinationLng": 9.1},
        {"destinationLng": "9"},
        {"destinationLat": None},
    ],
)
def test_one_disagreement_and_nothing_is_matched_by_place(change: dict[str, object]) -> None:
    jobs = [{**A, "id": "iA", "uidSecondary": ""}, {**B, "id": "iB", "uidSecondary": "", **change}]
    assert match([A, B], jobs) == [None, None]


def test_fewer_jobs_without_keys_are_matched_with_none() -> None:
    assert match([A, B], [{**A, "id": "iA", "uidSecondary": None}]) == [None, None]


def test_places_do_not_count_once_any_job_has_a_key() -> None:
    assert ids(match([A, B], [{**A, "id": "iA"}, {**B, "id": "iB", "uidSecondary": ""}])) == ["iA", None]


def test_a_worker_is_added_to_a_stored_job() -> None:
    assert with_worker(b'{"day":20231110}', "ann@acme.com") == b'{"worker":"ann@acme.com","day":20231110}'


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"{ }",
        b'{"worker":""}',
        b'{"worker":null,"day":1}',
        b'{"day":1,"worker":"","name":"worker"}',
        b'{"name":"worker"}',
        b'{"name":"\\"worker\\":"}',
        b'{"\\u0077orker":"","day":1}',
        b' {"day" : 1} ',
        b'{"nested":{"worker":"bob"},"list":[{"worker":""}]}',
        b'{"a":"}"}',
    ],
)
def test_the_worker_stands_once_and_the_rest_stays(body: bytes) -> None:
    before, after = orjson.loads(body), with_worker(body, 'ann "é"')
    assert orjson.loads(after) == {**before, "worker": 'ann "é"'}
    assert len(after) - len(orjson.dumps(before)) >= 0


def test_numbers_keep_their_text_when_a_job_is_taken_apart() -> None:
    assert with_worker(b'{"orderId":123456789012345678901234567890,"lat":1.10,"worker":""}', "ann") == (
        b'{"orderId":123456789012345678901234567890,"lat":1.10,"worker":"ann"}'
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"null"])
def test_what_is_no_object_gets_no_worker(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a job"):
        with_worker(body, "ann")


_values = (
    st.none() | st.text(max_size=6) | st.integers(-9, 9) | st.sampled_from(["worker", '"worker":""', "\\u0077orker"])
)


@given(
    fields=st.dictionaries(st.text(max_size=6) | st.just("worker"), _values, max_size=5),
    worker=st.text(min_size=1, max_size=8),
)
def test_any_object_gets_exactly_this_worker(fields: dict[str, object], worker: str) -> None:
    assert orjson.loads(with_worker(orjson.dumps(fields), worker)) == {**fields, "worker": worker}
