"""A `createjobs` request taken apart: which jobs, under which key. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from dispatcher.errors import FieldError, InvalidJobs
from dispatcher.intake import Document, InputError, read_document
from dispatcher.model.fields import JobFields
from dispatcher.model.job import JobReader, named
from dispatcher.model.key import new_key
from dispatcher.model.records import AUTOASSIGN, IS_TEMPLATE, SEND_ROUTE_CHANGE, NewJob

LARGE_BYTES = 256 * 1024
"""A body that is larger is best taken apart in a thread, so that other requests do not wait for it."""
_NAME = "body"
_Switch = bool | Literal["true", "false"] | None


class _Data(msgspec.Struct, gc=False):
    jobs: list[msgspec.Raw]
    autoassign: _Switch = None
    sendRouteChange: _Switch = None  # noqa: N815 - Hellotracks' own name
    isTemplate: _Switch = None  # noqa: N815


class _Request(msgspec.Struct, gc=False):
    data: _Data


class _PlainData(msgspec.Struct, gc=False):
    jobs: list[JobFields]
    autoassign: _Switch = None
    sendRouteChange: _Switch = None  # noqa: N815
    isTemplate: _Switch = None  # noqa: N815


class _PlainRequest(msgspec.Struct, gc=False):
    data: _PlainData


class _Signed(msgspec.Struct, gc=False):
    auth: dict[str, Any] | None = None


_decode_auth = msgspec.json.Decoder(_Signed).decode
_decode = msgspec.json.Decoder(_Request).decode
_decode_plain = msgspec.json.Decoder(_PlainRequest).decode


def _fresh(job: NewJob) -> NewJob:
    return named(job, new_key())


def read_order(
    body: bytes,
    *,
    switches: int = 0,
    lenient_coordinates: bool = False,
    name: Callable[[NewJob], NewJob] = _fresh,
) -> list[NewJob]:
    """The jobs of a request, checked and each with a key, in its order.

    Args:
        body: `{"data": {"jobs": […], "autoassign": …, "sendRouteChange": …, "isTemplate": …}}` in UTF-8; the switches
            are booleans or their texts.
        switches: the wishes where the request says nothing.
        lenient_coordinates: unset and out-of-range coordinates are no problem.
        name: gives a job without `uidSecondary` its key; by default a new one each time.

    Raises:
        InputError: it is not such a document.
        InvalidJobs: jobs are bad; every problem of every job is named.
    """
    plain = _read_plain(body, switches, lenient_coordinates=lenient_coordinates, name=name)
    if plain is not None:
        return plain
    document = _document(body, switches)
    read = JobReader(switches=document.switches, lenient_coordinates=lenient_coordinates)
    jobs: list[NewJob] = []
    problems: list[FieldError] = []
    for index, raw in enumerate(document.jobs):
        try:
            job = read(bytes(raw) if isinstance(raw, msgspec.Raw) else raw, index=index)
        except InvalidJobs as refused:
            problems += refused.errors
        else:
            jobs.append(job if job.key else name(job))
    if problems:
        raise InvalidJobs(problems)
    return jobs


def key_in(body: bytes) -> str | None:
    """The key of a request that carries it in its body, as `{"auth": {"key": …}}`; None when there is none."""
    try:
        auth = _decode_auth(body).auth
    except (msgspec.MsgspecError, ValueError, RecursionError):
        auth = _members(body).get("auth")
    key = auth.get("key") if isinstance(auth, dict) else None
    return key if isinstance(key, str) else None


def _read_plain(
    body: bytes, switches: int, *, lenient_coordinates: bool, name: Callable[[NewJob], NewJob]
) -> list[NewJob] | None:
    """The jobs of a request with nothing unusual in it, decoded in one step; None: it is to be looked at with care."""
    try:
        data = _decode_plain(body).data
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    read = JobReader(switches=_wished(data, switches), lenient_coordinates=lenient_coordinates)
    jobs: list[NewJob] = []
    for fields in data.jobs:
        job = read.plain(fields)
        if job is None:
            return None
        jobs.append(job if job.key else name(job))
    return jobs


def _wished(data: _Data | _PlainData, switches: int) -> int:
    """The switches as the request wishes them."""
    for wish, bit in (
        (data.autoassign, AUTOASSIGN),
        (data.sendRouteChange, SEND_ROUTE_CHANGE),
        (data.isTemplate, IS_TEMPLATE),
    ):
        if wish is not None:
            switches = switches & ~bit if wish in {False, "false"} else switches | bit
    return switches


def _document(body: bytes, switches: int) -> Document:
    """The request's jobs and switches: in one step when it is as documented, else with care for what is wrong in it."""
    try:
        data = _decode(body).data
    except (msgspec.MsgspecError, ValueError, RecursionError):
        document = read_document(body, name=_NAME, switches=switches)
        if _members(body).get("data") is None:
            raise InputError(f'{_NAME}: expected {{"data": {{"jobs": […]}}}}') from None
        return document
    return Document(data.jobs, _wished(data, switches))


def _members(body: bytes) -> dict[str, Any]:
    """The outermost object, as Python reads it (NaN and all); empty when the document is something else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
