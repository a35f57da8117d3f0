"""One job: what passes, what is refused and in which words, and what is stored."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.errors import FieldError, InvalidJobs
from dispatcher.model.check import check_job
from dispatcher.model.fields import KNOWN, rules
from dispatcher.model.job import JobReader, content_digest, named, read_job
from dispatcher.model.key import content_key, new_key
from dispatcher.model.records import AUTOASSIGN, IS_TEMPLATE, SEND_ROUTE_CHANGE, NewJob

GOOD: dict[str, Any] = {
    "uidSecondary": "EXT-1",
    "destinationName": "Visit",
    "destinationLat": 46.0648,
    "destinationLng": 13.2492,
    "day": 20261130,
    "windowStart": 1137,
    "windowEnd": 1437,
    "onSiteSeconds": 1800,
    "teamId": 1,
    "priority": 5,
}


def errors_of(job: Any, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidJobs) as caught:
        read_job(job if isinstance(job, bytes) else dict(job), **options)
    return [(error.field, error.message) for error in caught.value.errors]


def message_of(field: str, value: Any, **others: Any) -> str:
    """The one error of the good job with one field changed; bytes and mapping must agree."""
    job = GOOD | others | {field: value}
    found = errors_of(job)
    assert found == errors_of(json.dumps(job).encode())
    assert [name for name, _ in found] == [field]
    return found[0][1]


def test_a_good_job_is_read_the_same_from_text_and_from_an_object() -> None:
    from_text = read_job(json.dumps(GOOD, indent=1).encode())
    assert from_text == read_job(GOOD)
    assert (from_text.key, from_text.day, from_text.priority, from_text.worker) == ("EXT-1", 20261130, 5, None)
    assert orjson.loads(from_text.body) == GOOD


def test_the_body_is_compact_and_begins_with_the_key() -> None:
    body = read_job(dict(reversed(GOOD.items()))).body
    assert body.startswith(b'{"uidSecondary":"EXT-1",')
    assert len(body) == len(orjson.dumps(GOOD))


def test_null_fields_are_left_out() -> None:
    """A null says "not set": it is neither sent nor does it make another content."""
    job = GOOD | {"worker": None, "custom_a": None, "someday": None}
    assert read_job(orjson.dumps(job)) == read_job(GOOD) == read_job(job)


def test_a_name_that_stands_twice_is_stored_once() -> None:
    """What is sent must be what was checked, whichever of the two another reader would take."""
    raw = b'{"destinationText":"a","worker":"bob","worker":"ann","uidSecondary":"k"}'
    job = read_job(raw)
    assert job.worker == "ann"
    assert job.body.count(b"worker") == 1


def test_the_digest_knows_content_and_switches_but_not_key_and_order() -> None:
    first = read_job(GOOD)
    assert read_job(GOOD | {"uidSecondary": 'other "key" \N{SNOWMAN}'}).digest == first.digest
    assert read_job(dict(reversed(GOOD.items()))).digest == first.digest
    without = {name: value for name, value in GOOD.items() if name != "uidSecondary"}
    assert read_job(without).digest == first.digest
    assert read_job(GOOD | {"priority": 6}).digest != first.digest
    seen = {read_job(GOOD, switches=switches).digest for switches in range(8)}
    assert len(seen) == 8


def test_extra_fields_do_not_depend_on_how_they_were_reached() -> None:
    """The same job behind a plain one and behind one with extras has the same digest: both paths write alike."""
    read = JobReader()
    extra = GOOD | {"custom_b": "x", "zzz": [1, {"a": None}], "custom_a": 4}
    one = read(orjson.dumps(extra))
    again = read(orjson.dumps(dict(reversed(extra.items()))))
    assert one == again == JobReader()(extra)
    assert orjson.loads(one.body) == extra
    assert read.extras == {"zzz"}
    assert read(orjson.dumps(GOOD)) == read(orjson.dumps(GOOD)) == JobReader()(GOOD)


def test_the_callers_member_is_the_worker() -> None:
    assert read_job(GOOD | {"worker": "ann@acme.com"}).worker == "ann@acme.com"
    assert read_job(GOOD | {"receiverUid": "a1"}).worker == "a1"
    assert read_job(GOOD | {"worker": "", "receiverUid": ""}).worker is None


def test_worker_and_receiver_uid_must_be_known_to_agree() -> None:
    job = GOOD | {"worker": "ann", "receiverUid": "a1"}
    ((field, message),) = errors_of(job)
    assert field == "receiverUid"
    assert message.startswith("name one of worker and receiverUid")
    assert read_job(job, resolve={"a1": "ann"}.get).worker == "ann"
    assert errors_of(job, resolve={"a1": "bob"}.get)
    assert read_job(GOOD | {"worker": "ann", "receiverUid": "ann"}).worker == "ann"


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (20261301, "day of the calendar"),
        (20260229, "day of the calendar"),
        (261130, "day of the calendar"),
        (-1, "must not be negative"),
        ("20231110", "write 20231110 as a number"),
        ("2023-11-10", "write 20231110 as a number"),
        ("tomorrow", "write 20231110 as a number"),
        (20261130.0, "must be a whole number, not 20261130.0"),
        (True, "must be a whole number, not true"),
    ],
)
def test_a_day_is_a_number_that_stands_in_the_calendar(day: Any, words: str) -> None:
    assert words in message_of("day", day)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("windowStart", 2575, "time HHMM from 0 to 2400"),
        ("windowStart", 1160, "minutes below 60"),
        ("windowEnd", 2401, "time HHMM"),
        ("windowEnd", -5, "time HHMM"),
        ("windowStart", 1500, "starts at 1500, after its end at 1437"),
        ("onSiteSeconds", -1, "must not be negative, is -1"),
        ("priority", 11, "must be from 0 to 10, is 11"),
        ("priority", -1, "must be from 0 to 10, is -1"),
        ("priority", "5", "write it as a number, without quotes"),
        ("priority", 5.0, "must be a whole number, not 5.0"),
        ("number", -1, "must not be negative"),
        ("number", 2**31, "must be from 0 to 2147483647"),
        ("itemsToDropoff", -2, "must not be negative"),
        ("itemsToPickup", "two", 'not the text "two"'),
        ("type", 3, "must be from 0 to 2, is 3"),
        ("teamId", -1, "must not be negative"),
        ("teamId", [1], "not a list"),
        ("destinationName", 5, "must be a text, not 5"),
        ("destinationName", {}, "must be a text, not an object"),
        ("worker", False, "must be a text, not false"),
        ("id", "64d88ed519c0ae41096aa4b4", "is set by Hellotracks"),
        ("uidSecondary", "", "is empty"),
        ("uidSecondary", 5, "must be a text, not 5"),
        ("uidSecondary", " a", "white space"),
        ("uidSecondary", "a\n", "control characters"),
        ("uidSecondary", "a\x85b", "control characters"),
        ("uidSecondary", "x" * 256, "at most 255 characters long, has 256"),
        ("destinationLat", "46.1", "write it as a number, without quotes"),
        ("destinationLat", "46,1", "with a decimal point"),
        ("destinationLat", True, "must be a number, not true"),
        ("destinationLat", None, "missing, although destinationLng is set"),
        ("destinationLng", None, "missing, although destinationLat is set"),
        ("destinationLat", 91, "must be from -90 to 90, is 91: latitude and longitude look swapped"),
        ("destinationLng", 181.5, "must be from -180 to 180, is 181.5"),
        ("custom_skill", ["a"], "must be a text, a number or a boolean, not a list"),
        ("customFields", {"key": "a"}, "must be a list of {key, val}, not an object"),
        ("customFields", ["a"], "element 0 must be an object"),
        ("customFields", [{"key": "a", "val": 1}, {"val": 1}], "element 1: key must be a text"),
        ("customFields", [{"key": "skills", "val": None}], "element 0 (skills): val must be"),
        ("custom_n", 2**70, "too large to be kept exactly"),
        ("data", {"jobs": []}, "whole request"),
    ],
)
def test_a_bad_field_is_named_with_what_is_wrong(field: str, value: Any, words: str) -> None:
    if field == "data":
        assert words in errors_of({"data": value})[0][1]
    else:
        assert words in message_of(field, value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("day", 0),
        ("day", 20280229),
        ("windowEnd", 0),
        ("windowEnd", 2400),
        ("windowStart", 1437),
        ("destinationLat", -90),
        ("destinationLng", 180),
        ("priority", 10),
        ("customFields", [{"key": "skills", "val": "x, y"}, {"key": "n", "val": 5}, {"key": "b", "val": True}]),
        ("custom_flag", False),
        ("extra_number_1_val", 45.5),
        ("orderId", 2**62),
        ("uidSecondary", "Zürich 7 \N{SNOWMAN}"),
        ("destinationName", "line\nbreak"),
    ],
)
def test_what_lies_on_the_edge_passes_unchanged(field: str, value: Any) -> None:
    job = GOOD | {field: value}
    for source in (job, orjson.dumps(job)):
        assert orjson.loads(read_job(source).body) == job


@pytest.mark.parametrize(
    "pair", [{}, {"destinationLat": None, "destinationLng": None}, {"destinationLat": 0, "destinationLng": 0}]
)
def test_unset_coordinates_need_an_address_or_a_place(pair: dict[str, Any]) -> None:
    bare = {"uidSecondary": "k", **pair}
    ((field, message),) = errors_of(bare)
    assert field == "destinationLat"
    assert "missing" in message
    assert errors_of(bare | {"destinationText": "  "})
    assert read_job(bare | {"destinationText": "Via Roma 1"}).key == "k"
    assert read_job(bare | {"placeUid": "p1"}).key == "k"
    assert read_job(bare, lenient_coordinates=True).key == "k"


def test_lenient_coordinates_forgive_what_the_engine_can_answer_and_nothing_else() -> None:
    assert read_job(GOOD | {"destinationLat": 400}, lenient_coordinates=True).key == "EXT-1"
    assert read_job(GOOD | {"destinationLat": None}, lenient_coordinates=True).key == "EXT-1"
    assert read_job({}, lenient_coordinates=True, key="k").body == b'{"uidSecondary":"k"}'
    assert errors_of(GOOD | {"destinationLat": "46"}, lenient_coordinates=True)
    assert errors_of(GOOD | {"destinationLat": math.nan}, lenient_coordinates=True)
    assert errors_of(GOOD | {"priority": 11}, lenient_coordinates=True)


@pytest.mark.parametrize(
    ("raw", "field", "words"),
    [
        (b'{"destinationLat": NaN, "destinationLng": 1}', "destinationLat", "must be a finite number, is NaN"),
        (b'{"destinationLat": 1, "destinationLng": -Infinity}', "destinationLng", "is -Infinity"),
        (b'{"destinationText": "\\ud800"}', "destinationText", "half of a pair of surrogates"),
        (b'{"destinationText": "a", "deep": [{"x": NaN}]}', "deep", "is NaN"),
        (b'{"destinationText": "a", "n": 1e999}', "n", "is Infinity"),
        (b'{"destinationText": "a"', "", "not JSON at column"),
        (b'{"destinationText": "\xff"}', "", "not UTF-8 at byte 22"),
        (b"[1]", "", "must be a JSON object"),
        (b"[NaN]", "", "must be a JSON object"),
        (b"null", "", "must be a JSON object"),
        (b"", "", "not JSON at column 1"),
        (b'{"destinationText": "a", "deep": ' + b"[" * 3000 + b"]" * 3000 + b"}", "", "not JSON at column"),
        (b'{"destinationText": "a", "deep": ' + b"[" * 300 + b"]" * 300 + b"}", "deep", "nested deeper"),
    ],
)
def test_text_that_cannot_be_read_is_refused_by_field_or_column(raw: bytes, field: str, words: str) -> None:
    ((found, message),) = errors_of(raw)
    assert found == field
    assert words in message


@pytest.mark.parametrize("value", [math.nan, "\ud800", {1: 2}, object(), 2**64, [math.inf], {"a": "\udfff"}, b"bytes"])
def test_an_object_that_json_cannot_carry_is_refused_by_field(value: Any) -> None:
    assert [field for field, _ in errors_of(GOOD | {"notes2": value})] == ["notes2"]


def test_a_null_inside_a_passed_on_value_is_no_error() -> None:
    assert read_job(GOOD | {"other": {"a": None, "b": "null"}}).key == "EXT-1"


def test_every_problem_of_a_job_is_told_with_its_place_and_key() -> None:
    with pytest.raises(InvalidJobs) as caught:
        read_job(GOOD | {"id": "x", "priority": 11, "windowEnd": 900}, index=7, where="jobs.jsonl:8")
    assert [error.field for error in caught.value.errors] == ["priority", "id", "windowStart"]
    assert {(error.index, error.where, error.key) for error in caught.value.errors} == {(7, "jobs.jsonl:8", "EXT-1")}
    assert str(caught.value).startswith("jobs.jsonl:8 (EXT-1): priority: must be from 0 to 10, is 11")


def test_a_message_never_carries_a_control_character() -> None:
    ((_, message),) = errors_of(GOOD | {"priority": "\x1b[31mred\n" + "x" * 100})
    assert message.isprintable()
    assert len(message) < 100


def test_the_object_handed_in_is_not_changed() -> None:
    job = GOOD | {"worker": None, "zzz": 1}
    before = dict(job)
    read_job(job)
    assert job == before


def test_a_job_without_a_key_gets_the_one_that_is_given_or_a_new_one() -> None:
    bare = {name: value for name, value in GOOD.items() if name != "uidSecondary"}
    job = read_job(bare, key="c-1")
    assert orjson.loads(job.body) == bare | {"uidSecondary": "c-1"}
    assert read_job(GOOD, key="c-1").key == "EXT-1"
    assert read_job(bare).key != read_job(bare).key
    assert errors_of(bare, key="a\nb") == [("uidSecondary", "must not hold control characters")]


def test_a_named_job_equals_the_one_that_came_with_the_name() -> None:
    bare = {name: value for name, value in GOOD.items() if name != "uidSecondary"}
    unnamed = JobReader()(orjson.dumps(bare))
    assert unnamed.key == ""
    assert named(unnamed, "EXT-1") == read_job(GOOD)


def test_a_content_key_does_not_depend_on_the_switches() -> None:
    """Another switch in a second run must find the job again, not create it anew."""
    bare = orjson.dumps({name: value for name, value in GOOD.items() if name != "uidSecondary"})
    digests = {
        content_digest(JobReader(switches=switches)(bare))
        for switches in (0, AUTOASSIGN, SEND_ROUTE_CHANGE, IS_TEMPLATE)
    }
    assert len(digests) == 1
    digest = digests.pop()
    assert content_key(digest, 1) == f"c-{digest.hex()}-1" != content_key(digest, 2)


def test_new_keys_sort_by_time() -> None:
    keys = [new_key() for _ in range(200)]
    assert sorted(set(keys)) == keys


def test_names_of_unknown_fields_are_kept_within_bounds() -> None:
    read = JobReader()
    read(GOOD | {f"f{n}": 1 for n in range(5000)})
    assert len(read.extras) == 1000


def test_the_schema_knows_every_field_by_rule() -> None:
    assert rules().keys() == KNOWN


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2500),
    st.sampled_from([20261130, 20261301, 2**31, 2**63, 2**64, -(2**63), 1160, 2400, 0, 10, 11]),
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, 46.5, 91.0, 181.0, math.nan, math.inf, 1e30]),
    st.text('aé \x00"\\\n', max_size=6),
    st.sampled_from(["", " ", "a ", "5", "46,1", "\ud800", "k\x00"]),
    st.lists(
        st.dictionaries(st.sampled_from(["key", "val"]), st.sampled_from(["a", "", None, 1, 1.5, True, [], math.nan])),
        max_size=2,
    ),
)
NAMES = st.sampled_from([*sorted(KNOWN), "custom_a", "custom_b", "zzz", "id", "extra_text_1_val", "status"])
JOBS = st.builds(
    lambda base, changes: base | changes, st.sampled_from([GOOD, {}]), st.dictionaries(NAMES, VALUES, max_size=4)
)


def outcome(source: bytes | dict[str, Any], lenient: bool) -> NewJob | tuple[FieldError, ...]:
    try:
        return read_job(source, lenient_coordinates=lenient)
    except InvalidJobs as refusal:
        return refusal.errors


@given(job=JOBS, lenient=st.booleans())
@example(job=GOOD | {"customFields": [{"key": "a", "val": 2**64}]}, lenient=False)
def test_the_fast_path_refuses_exactly_what_the_check_finds(job: dict[str, Any], lenient: bool) -> None:
    """Two pieces of code say what a good job is; they must never differ."""
    found = check_job(job, index=0, lenient_coordinates=lenient)
    for source in (job, json.dumps(job).encode()):
        made = outcome(source, lenient)
        if isinstance(made, tuple):
            assert [error.field for error in made] == [error.field for error in found]
        else:
            assert found == []
            sent = {name: value for name, value in job.items() if value is not None}
            assert orjson.loads(made.body) == {"uidSecondary": made.key} | sent
            assert read_job(made.body, lenient_coordinates=lenient) == made
