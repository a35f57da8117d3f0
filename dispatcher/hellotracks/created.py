"""The body of `createjobs`, and its reply matched with what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from dispatcher.hellotracks.remote_job import identity
from dispatcher.hellotracks.verdict import Reply, document, listed

_DEGREES = 1e-6


class CreatedJob(msgspec.Struct, frozen=True, gc=False):
    """A job that the server says it has.

    Attributes:
        id: Hellotracks' id.
        key: the job's `uidSecondary`, as it was sent.
        worker: username of its member, "" when it has none.
    """

    id: str
    key: str
    worker: str


class _Sent(msgspec.Struct, gc=False):
    uidSecondary: str | int | None = None  # noqa: N815 - Hellotracks' own name


class _Job(msgspec.Struct, gc=False):
    """The fields that are needed, as the API documents them; all others are skipped unread."""

    id: str
    uidSecondary: str  # noqa: N815
    worker: str = ""
    assigneeUsername: str = ""  # noqa: N815


class _Reply(msgspec.Struct):
    status: int
    jobs: list[_Job]


_SENT = msgspec.json.Decoder(_Sent)
_BODY = msgspec.json.Decoder(dict[str, Any])
_REPLY = msgspec.json.Decoder(_Reply)


def request_body(
    bodies: Sequence[bytes], *, autoassign: bool = False, send_route_change: bool = False, is_template: bool = False
) -> bytes:
    """The whole request around stored jobs, which are not parsed again. Switches that are off are left out."""
    data: dict[str, Any] = {"jobs": [orjson.Fragment(body) for body in bodies]}
    if autoassign:
        data["autoassign"] = True
    if send_route_change:
        data["sendRouteChange"] = True
    if is_template:
        data["isTemplate"] = True
    return orjson.dumps({"data": data})


def with_worker(body: bytes, worker: str) -> bytes:
    """A stored job with its `worker` set.

    Cheap for a compact object without the field: it is put in front. An empty object, and one that has the field
    already (empty or null), are taken apart; the other fields keep their exact text then too.

    Args:
        body: the job as one JSON object in UTF-8.
        worker: username of the member.

    Raises:
        ValueError: `body` is not a JSON object.

    Example:
        >>> with_worker(b'{"day":20231110}', "ann@acme.com")
        b'{"worker":"ann@acme.com","day":20231110}'
    """
    # a name can hide the word only behind an escape of ASCII, which always starts with \u00
    if body[:2] == b'{"' and body[-1:] == b"}" and b'"worker"' not in body and b"\\u00" not in body:
        return b'{"worker":' + orjson.dumps(worker) + b"," + body[1:]
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as exc:
        raise ValueError(f"not a job in JSON: {exc}") from exc
    fields["worker"] = msgspec.Raw(orjson.dumps(worker))
    return msgspec.json.encode(fields)


def keys_of(bodies: Sequence[bytes]) -> list[str]:
    """The `uidSecondary` of every job, "" where there is none.

    Raises:
        ValueError: one of them is not a JSON object, or its `uidSecondary` is neither a text nor a whole number.
    """
    try:
        return [identity(_SENT.decode(body).uidSecondary) for body in bodies]
    except msgspec.DecodeError as exc:
        raise ValueError(f"not a job in JSON: {exc}") from exc


def matched(keys: Sequence[str], bodies: Sequence[bytes], reply: Reply) -> list[CreatedJob | None]:
    """One answer per job sent, in their order; None for a job that the reply does not name.

    Jobs are matched by `uidSecondary`. A reply in which no job has one (as in the documentation's older sample) is
    matched by place, if it has as many jobs as were sent and each agrees in name and coordinates with the one sent
    there.

    Args:
        keys: `keys_of(bodies)`.
        bodies: the jobs sent.
        reply: a reply with a 2xx status.

    Raises:
        Rejected: status other than 0.
        OutcomeUnknown: not the API's reply.
    """
    found = _by_key(reply.body)
    if found is None:
        answer = listed(reply, document(reply), "jobs")
        if _without_keys(answer):
            return _by_place(keys, bodies, answer)
        found = {job.key: job for job in map(_created, answer) if job is not None}
    return [found.get(key) for key in keys]


def _by_key(body: bytes) -> dict[str, CreatedJob] | None:
    """The ordinary reply in one pass; None when it is in any way unusual and has to be looked at in detail."""
    try:
        reply = _REPLY.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if reply.status != 0:
        return None
    found = {job.uidSecondary: job for job in reply.jobs}
    if "" in found or not all(job.id for job in reply.jobs):
        return None
    return {key: CreatedJob(job.id, key, job.worker or job.assigneeUsername) for key, job in found.items()}


def _without_keys(answer: Sequence[Any]) -> bool:
    return all(isinstance(job, dict) and not identity(job.get("uidSecondary")) for job in answer)


def _created(job: Any, key: str = "") -> CreatedJob | None:
    if not isinstance(job, dict):
        return None
    job_id, key = identity(job.get("id")), key or identity(job.get("uidSecondary"))
    if not job_id or not key:
        return None
    return CreatedJob(job_id, key, identity(job.get("worker")) or identity(job.get("assigneeUsername")))


def _by_place(
    keys: Sequence[str], bodies: Sequence[bytes], answer: Sequence[dict[str, Any]]
) -> list[CreatedJob | None]:
    if len(bodies) != len(answer) or not all(map(_agree, map(_BODY.decode, bodies), answer)):
        return [None] * len(bodies)
    return [_created(job, key) for key, job in zip(keys, answer, strict=True)]


def _agree(sent: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    if sent.get("destinationName") is not None and sent["destinationName"] != job.get("destinationName"):
        return False
    for name in ("destinationLat", "destinationLng"):
        ours, theirs = sent.get(name), job.get(name)
        if ours is not None and not (_is_number(theirs) and _is_number(ours) and abs(ours - theirs) <= _DEGREES):
            return False
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
