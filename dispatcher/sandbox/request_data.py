"""Reading what a request of `/api` carries in `data`, tolerant where the documentation shows several forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DAY = 99_991_231


class RefusedContentError(Exception):
    """The request's content cannot be used. The message goes into the reply."""


def read_day(value: Any) -> int:
    """YYYYMMDD as a number or as its text, 0 for undated.

    Raises:
        RefusedContentError: anything else.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 8:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_DAY:
        raise RefusedContentError("day must be YYYYMMDD or 0")
    return value


def check_job(job: Any) -> None:
    if not isinstance(job, dict):
        raise RefusedContentError("every element of data.jobs must be an object")
    if job.get("id"):
        raise RefusedContentError("id is set automatically and must not be sent")
    check_fields(job)


def check_fields(fields: dict[str, Any]) -> None:
    for name in ("uidSecondary", "worker", "receiverUid"):
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            raise RefusedContentError(f"{name} must be a text")
    if fields.get("day") is not None:
        fields["day"] = read_day(fields["day"])


def read_switch(data: Mapping[str, Any], name: str) -> bool:
    """A boolean, its text, or 1 and 0; missing is False."""
    value = data.get(name)
    if isinstance(value, str) and value.lower() in {"true", "false", "1", "0", ""}:
        return value.lower() in {"true", "1"}
    if value is None or (isinstance(value, int) and value in {0, 1}):
        return bool(value)
    raise RefusedContentError(f"{name} must be true or false")


def read_changes(jobs: Any) -> dict[str, Any]:
    """Jobs by id, from an object keyed by id, an array of ids, or an array of objects that carry their id."""
    if isinstance(jobs, dict):
        return jobs
    if not isinstance(jobs, list):
        raise RefusedContentError("data.jobs must name jobs by their ids")
    by_id: dict[str, Any] = {}
    for entry in jobs:
        if isinstance(entry, str):
            by_id[entry] = {}
        elif isinstance(entry, dict) and isinstance(entry.get("id"), str):
            by_id[entry["id"]] = {name: value for name, value in entry.items() if name != "id"}
        else:
            raise RefusedContentError("data.jobs must name jobs by their ids")
    return by_id


def read_texts(data: Mapping[str, Any], name: str, *, required: bool = False) -> list[str]:
    value = data.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise RefusedContentError(f"{name} must be an array of texts")
    return value


def read_numbers(data: Mapping[str, Any], name: str) -> set[int]:
    value = data.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, int) for entry in value):
        raise RefusedContentError(f"{name} must be an array of numbers")
    return set(value)


def whole_or_0(value: Any) -> int:
    """A whole number as it was sent; 0 for whatever else a job may carry in that field."""
    return value if isinstance(value, int) else 0
