"""What is wrong with a job, in words a person can act on.

Slow and thorough; `job.py` asks it only when its fast path refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from dispatcher.errors import FieldError
from dispatcher.model.fields import INT_MAX, KEY_MAX, Rule, rules

Resolver = Callable[[str], str | None]
"""From a member's uid to the username; None when the fleet does not know the uid."""

_SHOWN = 40
"""Characters of a value that a message shows."""
_DEPTH = 250
"""Nesting of a job's values that is looked into; orjson writes 254 levels, the job's own included."""
WIDEST_INT = 2**64 - 1
"""The largest whole number that the JSON reader and writer carry without loss; a larger one arrives as a float."""
_TOO_LARGE = "the number is too large to be kept exactly: write it as text"


def check_job(
    obj: Mapping[str, Any],
    *,
    index: int,
    where: str = "",
    lenient_coordinates: bool = False,
    resolve: Resolver | None = None,
) -> list[FieldError]:
    """Everything that is wrong with one job, in the order of its fields; an empty list when it is good.

    Args:
        obj: the job in Hellotracks' field names. A null field counts as absent.
        index: place of the job in what was handed in, from 0.
        where: file and line, when it came from one.
        lenient_coordinates: unset and out-of-range coordinates are no errors (the engine answers `bad_coordinates`).
        resolve: tells whether `worker` and `receiverUid` name the same member.
    """
    job = {name: value for name, value in obj.items() if value is not None}
    key = job.get("uidSecondary")
    named = key if isinstance(key, str) and key else None
    return [
        FieldError(index=index, field=field, message=message, key=named, where=where)
        for field, message in _problems(job, lenient_coordinates, resolve)
    ]


def is_calendar_day(day: int) -> bool:
    """True for YYYYMMDD that stands in the calendar, with a year of four digits."""
    if not 1000_01_01 <= day <= 9999_12_31:
        return False
    try:
        date(day // 10_000, day // 100 % 100, day % 100)
    except ValueError:
        return False
    return True


def _problems(job: dict[str, Any], lenient: bool, resolve: Resolver | None) -> Iterator[tuple[str, str]]:
    if "id" not in job and ("jobs" in job or isinstance(job.get("data"), dict)):
        yield "", "this is a whole request with its jobs, where one job is expected"
        return
    table = rules()
    wrong = set()
    for name, value in job.items():
        message = _field_problem(name, value, table)
        if message:
            wrong.add(name)
            yield str(name), message
    if not wrong & {"destinationLat", "destinationLng"}:
        yield from _coordinate_problems(job, lenient)
    if not wrong & {"windowStart", "windowEnd"}:
        start, end = job.get("windowStart", 0), job.get("windowEnd", 0)
        if end not in {0, 2400} and start > end:
            yield "windowStart", f"the window starts at {start:04d}, after its end at {end:04d}"
    if not wrong & {"worker", "receiverUid"}:
        worker, uid = job.get("worker", ""), job.get("receiverUid", "")
        if not same_member(worker, uid, resolve):
            yield (
                "receiverUid",
                f"name one of worker and receiverUid: {_show(worker)} and {_show(uid)} are not known to be the same",
            )


def same_member(worker: str | None, uid: str | None, resolve: Resolver | None) -> bool:
    """True unless a job's `worker` (username) and `receiverUid` (uid) are both set and not known to be one member."""
    return not worker or not uid or worker == uid or (resolve is not None and resolve(uid) == worker)


def _field_problem(name: Any, value: Any, table: Mapping[str, Rule]) -> str:
    rule = table.get(name)
    if rule is None:
        return extra_problem(name, value)
    if rule.kind == "whole":
        return _whole_problem(name, value, rule)
    if rule.kind == "number":
        return _number_problem(value)
    if rule.kind == "list":
        return custom_fields_problem(value)
    if not isinstance(value, str):
        return f"must be a text, not {_show(value)}"
    return key_problem(value) if name == "uidSecondary" else _unsendable(value)


def extra_problem(name: object, value: object) -> str:
    """What is wrong with a field outside the schema, "" when it can be passed on."""
    if not isinstance(name, str):
        return f"the name of a field must be text, not {_show(name)}"
    if name == "id":
        return "is set by Hellotracks: leave it out (uidSecondary is the place for an id of your own)"
    if name.startswith("custom_") and not isinstance(value, str | int | float):
        return f"must be a text, a number or a boolean, not {_show(value)}"
    return _unsendable(name) or _unsendable(value)


def _whole_problem(name: str, value: Any, rule: Rule) -> str:
    if isinstance(value, str):
        if name == "day":
            digits = value.replace("-", "").strip()
            digits = digits if len(digits) == 8 and digits.isdecimal() else "20231110"
            return f"must be a number YYYYMMDD, not {_show(value)}: write {digits} as a number, without quotes"
        return f"must be a whole number, not {_show(value)}{_unquote_hint(value)}"
    if isinstance(value, bool) or not isinstance(value, int):
        return f"must be a whole number, not {_show(value)}"
    low, high = rule.low or 0, rule.high or INT_MAX
    if value < low and high >= INT_MAX:
        return f"must not be negative, is {value}"
    if name in {"windowStart", "windowEnd"} and (not low <= value <= high or value % 100 >= 60):
        return f"must be a time HHMM from 0 to 2400 with minutes below 60, is {value}"
    if name == "day" and value and not is_calendar_day(value):
        return f"must be a day of the calendar as YYYYMMDD, or 0 for none, is {value}"
    if not low <= value <= high:
        return f"must be from {low} to {high}, is {value}"
    return ""


def _number_problem(value: Any) -> str:
    if isinstance(value, str):
        return f"must be a number, not {_show(value)}{_unquote_hint(value)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"must be a number, not {_show(value)}"
    return "" if isinstance(value, int) or math.isfinite(value) else f"must be a finite number, is {_show(value)}"


def custom_fields_problem(value: object) -> str:
    """What is wrong with a value of `customFields`, "" when it is good."""
    if not isinstance(value, list | tuple):
        return f"must be a list of {{key, val}}, not {_show(value)}"
    for place, item in enumerate(value):
        if not isinstance(item, Mapping):
            return f"element {place} must be an object {{key, val}}, not {_show(item)}"
        key, val = item.get("key"), item.get("val")
        if not isinstance(key, str) or not key:
            return f"element {place}: key must be a text that is not empty, not {_show(key)}"
        if not isinstance(val, str | int | float):
            return f"element {place} ({key[:_SHOWN]}): val must be a text, a number or a boolean, not {_show(val)}"
    return _unsendable(value)


def key_problem(key: str) -> str:
    """What is wrong with a text as a job's key, "" when it is good."""
    if not key:
        return "is empty: leave it out to have a key made"
    if len(key) > KEY_MAX:
        return f"must be at most {KEY_MAX} characters long, has {len(key)}"
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in key):
        return "must not hold control characters"
    if key != key.strip():
        return "must not begin or end with white space"
    return _unsendable(key)


def _coordinate_problems(job: dict[str, Any], lenient: bool) -> Iterator[tuple[str, str]]:
    if lenient:
        return
    lat, lng = job.get("destinationLat"), job.get("destinationLng")
    if (lat is None and lng is None) or (lat == 0 and lng == 0):
        if not has_address(job.get("destinationText"), job.get("placeUid")):
            what = "missing" if lat is None else "0 with destinationLng 0, which counts as missing"
            yield "destinationLat", f"{what}: give destinationLat and destinationLng (or destinationText, or placeUid)"
    elif lat is None:
        yield "destinationLat", "missing, although destinationLng is set"
    elif lng is None:
        yield "destinationLng", "missing, although destinationLat is set"
    elif not -90 <= lat <= 90:
        swapped = ": latitude and longitude look swapped" if -180 <= lat <= 180 and -90 <= lng <= 90 else ""
        yield "destinationLat", f"must be from -90 to 90, is {lat}{swapped}"
        if not -180 <= lng <= 180:
            yield "destinationLng", f"must be from -180 to 180, is {lng}"
    elif not -180 <= lng <= 180:
        yield "destinationLng", f"must be from -180 to 180, is {lng}"


def has_address(text: object, place: object) -> bool:
    """True when Hellotracks can find the place itself: a non-empty `destinationText` or `placeUid`."""
    return bool((isinstance(text, str) and text.strip()) or (isinstance(place, str) and place.strip()))


def _unsendable(value: Any, depth: int = 0) -> str:
    """Why a value cannot be written as JSON without change, "" when it can."""
    if isinstance(value, str):
        return (
            "is not valid Unicode (bytes that are not UTF-8, or half of a pair of surrogates)"
            if _is_broken(value)
            else ""
        )
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return f"must be a finite number, is {_show(value)}"
        return "" if abs(value) <= WIDEST_INT else _TOO_LARGE
    if isinstance(value, int):
        return "" if -(2**63) <= value <= WIDEST_INT else _TOO_LARGE
    if depth > _DEPTH:
        return f"is nested deeper than {_DEPTH} levels"
    if isinstance(value, list | tuple):
        return next((words for item in value if (words := _unsendable(item, depth + 1))), "")
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                return f"the name of a field inside must be text, not {_show(name)}"
            words = _unsendable(name) or _unsendable(item, depth + 1)
            if words:
                return words
        return ""
    return f"cannot be written as JSON: {type(value).__name__}"


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _unquote_hint(text: str) -> str:
    """How to write a number that came as text; "" when it is none."""
    for plain, hint in ((text, "as a number, without quotes"), (text.replace(",", "."), "with a decimal point")):
        try:
            float(plain)
        except ValueError:
            continue
        return f": write it {hint}"
    return ""


def _show(value: Any) -> str:
    """A value as a person wrote it, shortened."""
    if isinstance(value, str):
        safe = "".join(
            letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value[: _SHOWN + 1]
        )
        return f'the text "{safe[:_SHOWN]}…"' if len(safe) > _SHOWN else f'the text "{safe}"'
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, int | float):
        return f"{value}" if abs(value) < 10**_SHOWN else "a number of many digits"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"
