"""What a createjobs request is, and what it is not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.daemon.order import key_in, read_order
from dispatcher.errors import InvalidJobs
from dispatcher.intake import InputError
from dispatcher.model.job import JobReader
from dispatcher.model.records import AUTOASSIGN, IS_TEMPLATE, SEND_ROUTE_CHANGE
from dispatcher.sandbox import generated_jobs

JOB = {"destinationLat": 45.0, "destinationLng": 7.0}


def body(*jobs: object, **more: object) -> bytes:
    return orjson.dumps({"data": {"jobs": jobs, **more}})


def test_jobs_without_a_key_get_one_each() -> None:
    first, second = read_order(body(JOB, JOB))
    assert first.key
    assert first.key != second.key
    assert orjson.loads(first.body)["uidSecondary"] == first.key


@pytest.mark.parametrize("yes", [True, "true"])
@pytest.mark.parametrize("no", [False, "false", None])
def test_switches_are_booleans_or_their_texts(yes: object, no: object) -> None:
    (job,) = read_order(body(JOB, autoassign=yes, sendRouteChange=no, isTemplate=yes))
    assert job.switches == AUTOASSIGN | IS_TEMPLATE


def test_a_switch_that_the_request_does_not_name_is_as_the_settings_say() -> None:
    assert read_order(body(JOB), switches=SEND_ROUTE_CHANGE)[0].switches == SEND_ROUTE_CHANGE
    assert read_order(body(JOB, sendRouteChange=False), switches=SEND_ROUTE_CHANGE)[0].switches == 0


def test_every_problem_of_every_job_is_named() -> None:
    with pytest.raises(InvalidJobs) as caught:
        read_order(body(JOB, {**JOB, "priority": 11, "day": 1}, 3))
    assert {(error.index, error.field) for error in caught.value.errors} == {(1, "priority"), (1, "day"), (2, "")}


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"jobs": []}', b'{"data": null}', b'{"data": {}}', b"3", b'"a"', b""])
def test_without_the_envelope_it_is_no_request(text: bytes) -> None:
    with pytest.raises(InputError):
        read_order(text)


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,adtjobsNn01 ', max_size=60).map(str.encode))
def test_any_bytes_are_a_request_or_refused(text: bytes) -> None:
    """Nothing but the two announced errors comes out."""
    for content in (text, b'{"data":' + text + b"}", b'{"data":{"jobs":[' + text + b"]}}"):
        with suppress(InputError, InvalidJobs):
            assert isinstance(read_order(content), list)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b'{"auth": {"key": "K", "usr": "u"}, "data": {}}', "K"),
        (b'{"auth": {"key": 3}}', None),
        (b'{"auth": "K"}', None),
        (b'{"data": {}}', None),
        (b'{"auth": {"key": "K"}, "data": NaN}', "K"),
        (b"[", None),
        (b"[" * 100_000, None),
    ],
)
def test_a_key_may_stand_in_the_body(text: bytes, key: str | None) -> None:
    assert key_in(text) == key


@pytest.mark.parametrize(
    "odd", [{}, {"unknown": 1}, {"destinationName": None}, {"customFields": [{"key": "a", "val": 1}]}]
)
def test_in_one_step_or_job_by_job_the_same_is_read(odd: dict[str, Any]) -> None:
    """One unusual job sends the whole request down the careful path; nobody may see which way it went."""
    jobs = [*generated_jobs(50, seed=3, day=20310106), {"uidSecondary": "ODD", "destinationText": "Udine", **odd}]
    read = JobReader(switches=AUTOASSIGN)
    one_by_one = [read(orjson.dumps(job)) for job in jobs]
    assert read_order(orjson.dumps({"data": {"jobs": jobs, "autoassign": "true"}})) == one_by_one
