"""One job on its way in: decoded, checked, made canonical.

A stored body is always our own writing of what was checked, `uidSecondary` first and the other fields in a fixed order:
what is sent is what was validated, whatever white space, repeated names or null fields the caller's text had. The fast
path costs a few microseconds; `check.py` explains what it refuses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

from dispatcher.errors import FieldError, InvalidJobs
from dispatcher.model.check import (
    Resolver,
    check_job,
    custom_fields_problem,
    extra_problem,
    has_address,
    is_calendar_day,
    key_problem,
    same_member,
)
from dispatcher.model.fields import KNOWN, UNTYPED, JobFields
from dispatcher.model.key import new_key
from dispatcher.model.records import NewJob

_decode = msgspec.json.Decoder(JobFields).decode
_encode = msgspec.json.Encoder().encode
_KEY_AT = len(b'{"uidSecondary":')
_SALTS = tuple(bytes([switches]) for switches in range(8))
_NO_OBJECT = "must be a JSON object"
_DAYS_KEPT = 4096
_EXTRAS_KEPT = 1000
"""Names of unknown fields that are remembered for the warning; a file of garbage has no end of them."""


class JobReader:
    """Reads jobs one after the other under the same switches.

    Args:
        switches: OR of AUTOASSIGN, SEND_ROUTE_CHANGE, IS_TEMPLATE, as the caller wishes for the whole request.
        lenient_coordinates: unset and out-of-range coordinates pass (for `plan`: the engine answers `bad_coordinates`).
        resolve: from uid to username; without it a job whose `worker` and `receiverUid` are different texts is refused.
        extras: collects the names of fields that the API does not document; they are passed on.

    Example:
        >>> read = JobReader()
        >>> job = read(b'{"uidSecondary": "EXT-1", "destinationLat": 46.06, "destinationLng": 13.25}')
        >>> job.body
        b'{"uidSecondary":"EXT-1","destinationLat":46.06,"destinationLng":13.25}'
    """

    __slots__ = ("_days", "_lenient", "_plain", "_resolve", "_salt", "_switches", "extras")

    def __init__(
        self,
        *,
        switches: int = 0,
        lenient_coordinates: bool = False,
        resolve: Resolver | None = None,
        extras: set[str] | None = None,
    ) -> None:
        self.extras: set[str] = set() if extras is None else extras
        self._switches = switches
        self._salt = _SALTS[switches]
        self._lenient = lenient_coordinates
        self._resolve = resolve
        self._days = {0}
        self._plain = True  # the last job had no field outside the schema; most files are all one way

    def __call__(self, raw: bytes | Mapping[str, Any], *, index: int = 0, where: str = "") -> NewJob:
        """The job, checked. Without `uidSecondary` its `key` is "" and is to be set by `named`.

        Args:
            raw: one JSON object in UTF-8, or one already decoded (it is not changed).
            index: place of the job in what was handed in, for errors.
            where: file and line, for errors.

        Raises:
            InvalidJobs: with every problem of the job.
        """
        if self._plain and isinstance(raw, bytes):
            try:
                made = self.plain(_decode(raw))
            except (msgspec.MsgspecError, ValueError, RecursionError):
                made = None
            if made is not None:
                return made  # else it is not plain, or not good: looked at below
        obj = self._object(raw, index, where)
        known, extras = obj, {}
        self._plain = KNOWN.issuperset(obj)
        if not self._plain:
            known = {name: value for name, value in obj.items() if name in KNOWN}
            extras = {name: value for name, value in obj.items() if name not in KNOWN}
        try:
            job = msgspec.convert(known, JobFields)
            content = _encode(job)
            if extras:
                more = orjson.dumps(extras, option=orjson.OPT_SORT_KEYS)
                content = b"%b,%b" % (content[:-1], more[1:]) if len(content) > 2 else more
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self._refusal(obj, error, index, where) from error
        if not (self._good(job) and self._good_extras(extras)):
            raise self._refusal(obj, None, index, where)
        if b"null" in content and (found := self._check(obj, index, where)):
            raise InvalidJobs(found)  # NaN is written as null, and what was handed in decoded may hold one
        return self._made(job, content)

    def plain(self, job: JobFields) -> NewJob | None:
        """The same for a job that was decoded already; None when something about it is to be told, or unusual."""
        try:
            content = _encode(job)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return self._made(job, content) if self._good(job) else None

    def _made(self, job: JobFields, content: bytes) -> NewJob:
        key = job.uidSecondary
        # The digest is over what stands behind the key, where a job without one reads the same.
        bare = content[1:] if key is None else content[_KEY_AT + len(_encode(key)) + 1 :] or b"}"
        return NewJob(
            key or "",
            content,
            blake2b(bare, digest_size=16, salt=self._salt).digest(),
            self._switches,
            job.worker or job.receiverUid or None,
            job.day or 0,
            5 if job.priority is None else job.priority,
        )

    def _object(self, raw: bytes | Mapping[str, Any], index: int, where: str) -> dict[str, Any]:
        """The job as a dict without its null fields."""
        obj: Any = raw
        if isinstance(raw, bytes):
            try:
                obj = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                raise InvalidJobs(self._unreadable(raw, error, index, where)) from error
        if not isinstance(obj, Mapping):
            raise InvalidJobs([FieldError(index=index, field="", message=_NO_OBJECT, where=where)])
        return {name: value for name, value in obj.items() if value is not None}

    def _good(self, job: JobFields) -> bool:
        """The rules that the schema cannot say; False when `check_job` has something to tell."""
        key = job.uidSecondary
        if key is not None and (not key.isprintable() or key != key.strip()) and key_problem(key):
            return False
        day = job.day or 0
        if day not in self._days:
            if not is_calendar_day(day):
                return False
            if len(self._days) < _DAYS_KEPT:
                self._days.add(day)
        start, end = job.windowStart, job.windowEnd
        if start and (start % 100 >= 60 or (end and end != 2400 and start > end)):
            return False
        if end and end % 100 >= 60:
            return False
        lat, lng = job.destinationLat, job.destinationLng
        if self._lenient:
            if not math.isfinite(lat or 0.0) or not math.isfinite(lng or 0.0):
                return False
        elif lat is None or lng is None:
            if lat is not lng or not has_address(job.destinationText, job.placeUid):
                return False
        elif not (-90 <= lat <= 90 and -180 <= lng <= 180) or (
            lat == 0 == lng and not has_address(job.destinationText, job.placeUid)
        ):
            return False
        if job.customFields and custom_fields_problem(job.customFields):
            return False
        return not job.receiverUid or same_member(job.worker, job.receiverUid, self._resolve)

    def _good_extras(self, extras: Mapping[str, Any]) -> bool:
        """Fields outside the schema: `custom_*` and the worker's inputs pass, unknown ones are noted and pass."""
        for name, value in extras.items():
            if extra_problem(name, value):
                return False
            if name not in UNTYPED and not name.startswith("custom_") and len(self.extras) < _EXTRAS_KEPT:
                self.extras.add(name)
        return True

    def _check(self, obj: Mapping[str, Any], index: int, where: str) -> list[FieldError]:
        return check_job(obj, index=index, where=where, lenient_coordinates=self._lenient, resolve=self._resolve)

    def _refusal(self, obj: Mapping[str, Any], error: Exception | None, index: int, where: str) -> InvalidJobs:
        """What `check_job` finds; the decoder's own words should it find nothing."""
        unnamed = FieldError(index=index, field="", message=f"cannot be taken: {error}", where=where)
        return InvalidJobs(self._check(obj, index, where) or [unnamed])

    def _unreadable(self, raw: bytes, error: orjson.JSONDecodeError, index: int, where: str) -> list[FieldError]:
        """Why a text is not JSON: the field, when it is only a NaN or half a character; else the column."""
        try:
            obj = json.loads(raw.decode())
        except UnicodeDecodeError as bad:
            message = f"not UTF-8 at byte {bad.start + 1}"
        except (ValueError, RecursionError):
            message = not_json(error)
        else:
            if not isinstance(obj, dict):
                message = _NO_OBJECT
            else:
                found = self._check(obj, index, where)
                if found:
                    return found
                message = not_json(error)
        return [FieldError(index=index, field="", message=message, where=where)]


def read_job(
    raw: bytes | Mapping[str, Any],
    *,
    index: int = 0,
    where: str = "",
    switches: int = 0,
    key: str | None = None,
    lenient_coordinates: bool = False,
    resolve: Resolver | None = None,
    extras: set[str] | None = None,
) -> NewJob:
    """One job, checked and with a key: its own `uidSecondary`, else `key`, else a new one.

    For many jobs make one `JobReader`.

    Raises:
        InvalidJobs: with every problem of the job.
    """
    read = JobReader(switches=switches, lenient_coordinates=lenient_coordinates, resolve=resolve, extras=extras)
    job = read(raw, index=index, where=where)
    if job.key:
        return job
    if key is not None and (problem := key_problem(key)):
        raise InvalidJobs([FieldError(index=index, field="uidSecondary", message=problem, key=key, where=where)])
    return named(job, key or new_key())


def named(job: NewJob, key: str) -> NewJob:
    """A job that came without a key, with one."""
    return NewJob(key, _with_key(job.body, key), job.digest, job.switches, job.worker, job.day, job.priority)


def content_digest(job: NewJob) -> bytes:
    """16 bytes over the content of a job that came without a key, whatever the switches."""
    return blake2b(job.body[1:], digest_size=16).digest() if job.switches else job.digest


def not_json(error: json.JSONDecodeError) -> str:
    """A JSON error in words: what, and where in the text."""
    line = f"line {error.lineno} " if error.lineno > 1 else ""
    return f"not JSON at {line}column {error.colno}: {error.msg}"


def _with_key(content: bytes, key: str) -> bytes:
    name = _encode(key)
    return b'{"uidSecondary":%b,%b' % (name, content[1:]) if len(content) > 2 else b'{"uidSecondary":%b}' % name
