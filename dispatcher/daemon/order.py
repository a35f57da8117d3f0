"""A `createjobs` request taken apart: which jobs, under which key. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from dispatcher.errors import FieldError, InvalidJobs
from dispatcher.intake import InputError, read_document
from dispatcher.model.job import JobReader, named
from dispatcher.model.key import new_key
from dispatcher.model.records import NewJob

_NAME = "body"
_open = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_order(body: bytes, *, switches: int = 0) -> list[NewJob]:
    """The jobs of a request, checked and each with a key, in its order.

    Args:
        body: `{"data": {"jobs": […], "autoassign": …, "sendRouteChange": …, "isTemplate": …}}` in UTF-8; the switches
            are booleans or their texts.
        switches: the wishes where the request says nothing.

    Raises:
        InputError: it is not such a document.
        InvalidJobs: jobs are bad; every problem of every job is named.
    """
    if _members(body).get("data") is None:
        raise InputError(f'{_NAME}: expected {{"data": {{"jobs": […]}}}}')
    document = read_document(body, name=_NAME, switches=switches)
    read = JobReader(switches=document.switches)
    jobs: list[NewJob] = []
    problems: list[FieldError] = []
    for index, raw in enumerate(document.jobs):
        try:
            job = read(bytes(raw) if isinstance(raw, msgspec.Raw) else raw, index=index)
        except InvalidJobs as refused:
            problems += refused.errors
        else:
            jobs.append(job if job.key else named(job, new_key()))
    if problems:
        raise InvalidJobs(problems)
    return jobs


def key_in(body: bytes) -> str | None:
    """The key of a request that carries it in its body, as `{"auth": {"key": …}}`; None when there is none."""
    try:
        auth = _members(body).get("auth")
        content = orjson.loads(bytes(auth)) if isinstance(auth, msgspec.Raw) else auth
    except (orjson.JSONDecodeError, InputError):
        return None
    key = content.get("key") if isinstance(content, dict) else None
    return key if isinstance(key, str) else None


def _members(body: bytes) -> dict[str, Any]:
    """The outermost object, its members not decoded; empty when the document is something else.

    Raises:
        InputError: it is nested too deep.
    """
    try:
        return dict(_open(body))
    except RecursionError:
        raise InputError(f"{_NAME}: the JSON is nested too deep") from None
    except (msgspec.DecodeError, ValueError):
        return _tolerated(body)


def _tolerated(body: bytes) -> dict[str, Any]:
    """The same for a document with a NaN in it, so that the job with the NaN can be named."""
    import json  # noqa: PLC0415 - only for bad documents

    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        read_document(body, name=_NAME)  # says what is wrong, and where
        return {}
    return value if isinstance(value, dict) else {}
