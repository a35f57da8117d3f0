"""A job as the server has it, as far as it can be compared with what was sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

COORDINATES = ("destinationLat", "destinationLng")
TEXTS = ("destinationName", "destinationText", "worker", "textDispatcher")
NUMBERS = (
    "day",
    "priority",
    "windowStart",
    "windowEnd",
    "onSiteSeconds",
    "teamId",
    "number",
    "itemsToDropoff",
    "itemsToPickup",
)
COMPARABLE = (*COORDINATES, *TEXTS, *NUMBERS)

_DEGREES = 1e-6
"""Coordinates nearer than this are the same (0.1 m)."""
_OPEN_END = 2400
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?![0-9])")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?![0-9])")

Field = str | int | float


class RemoteJob(msgspec.Struct, frozen=True):
    """A job found at the server.

    Attributes:
        id: Hellotracks' id.
        key: the job's `uidSecondary`.
        archived: True when the server has put it away.
        fields: those of `COMPARABLE` that the reply carried, under their `/api` names and in `/api` form.
    """

    id: str
    key: str
    archived: bool
    fields: Mapping[str, Field]


def identity(value: object) -> str:
    """An id or key as text: numbers are written out, anything else is ""."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def from_api(job: Mapping[str, Any]) -> RemoteJob | None:
    """A job object of an `/api` reply; None when it lacks `id` or `uidSecondary`."""
    job_id, key = identity(job.get("id")), identity(job.get("uidSecondary"))
    if not job_id or not key:
        return None
    fields = {name: job[name] for name in COMPARABLE if _is_field(job.get(name))}
    if not fields.get("worker") and _is_field(job.get("assigneeUsername")):
        fields["worker"] = job["assigneeUsername"]
    return RemoteJob(job_id, key, job.get("status") == "archived", fields)


def from_v1(item: Mapping[str, Any]) -> RemoteJob | None:
    """An item of a `/v1/jobs` reply, fields back under `/api` names; None when it lacks `id` or `externalId`."""
    job_id, key = identity(item.get("id")), identity(item.get("externalId"))
    if not job_id or not key:
        return None
    location, window, assignee = (_mapping(item.get(name)) for name in ("location", "timeWindow", "assignee"))
    read: dict[str, object] = {
        "destinationName": item.get("title"),
        "destinationText": _text(item, "address"),
        "textDispatcher": _text(item, "notes"),
        "destinationLat": location.get("lat"),
        "destinationLng": location.get("lng"),
        "day": _day(item["date"]) if "date" in item else None,
        "windowStart": _clock(window.get("start")),
        "windowEnd": _clock(window.get("end")),
        "priority": item.get("priority"),
        "onSiteSeconds": item.get("onSiteDurationSeconds"),
        "worker": _text(item, "assigneeUsername") or assignee.get("username") or _text(item, "assigneeUsername"),
        "teamId": item.get("teamId"),
        "number": item.get("number"),
        "itemsToDropoff": item.get("itemsToDropoff"),
        "itemsToPickup": item.get("itemsToPickup"),
    }
    fields = {name: value for name, value in read.items() if isinstance(value, Field) and _is_field(value)}
    archived = "archived" in {item.get("progress"), item.get("status")} or item.get("archived") is True
    return RemoteJob(job_id, key, archived, fields)


def carries(remote: RemoteJob, body: bytes) -> bool:
    """True when `remote` shows every comparable field that `body` sends.

    Tells "this version arrived" from "an older version of the key is there". Not held against it: a field that the
    reply did not carry, a field that the body leaves out or sends as null, and the member when the body names none.
    Numbers compare as numbers, coordinates within 1e-6 degrees, a `windowEnd` of 0 is 2400.

    Args:
        remote: the job as found.
        body: the job as one JSON object, as it was sent.

    Raises:
        ValueError: `body` is not a JSON object.
    """
    try:
        sent = _BODY.decode(body)
    except msgspec.DecodeError as exc:
        raise ValueError(f"not a job in JSON: {exc}") from exc
    return all(
        _same(name, sent[name], there)
        for name, there in remote.fields.items()
        if sent.get(name) is not None and not (name == "worker" and sent[name] == "")
    )


_BODY = msgspec.json.Decoder(dict[str, Any])


def _same(name: str, sent: object, there: object) -> bool:
    if name in TEXTS:
        return str(sent) == str(there)
    ours, theirs = _number(sent), _number(there)
    if ours is None or theirs is None:
        return sent == there
    if name in COORDINATES:
        return abs(ours - theirs) <= _DEGREES
    if name == "windowEnd":
        return (ours or _OPEN_END) == (theirs or _OPEN_END)
    return ours == theirs


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _is_field(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(item: Mapping[str, Any], name: str) -> object:
    """A text of the item; null is "", missing is None (not returned)."""
    return (item[name] or "") if name in item else None


def _day(value: object) -> object:
    """YYYY-MM-DD as the number YYYYMMDD; no date is 0."""
    if value is None or value == "":
        return 0
    found = _DATE.match(value) if isinstance(value, str) else None
    return int("".join(found.groups())) if found else value


def _clock(value: object) -> object:
    """HH:mm as the number HHMM; none is None (not returned)."""
    found = _CLOCK.match(value) if isinstance(value, str) else None
    return int("".join(found.groups())) if found else value or None
