"""A whole JSON document of jobs: a `createjobs` body, `{"jobs": […]}`, or a list.

The elements stay raw bytes (views of the text) until each is read, so the memory is that of the text and 60 bytes a
job. The daemon can read the bodies of its clients by the same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dispatcher.intake.errors import InputError
from dispatcher.intake.tolerant import tolerant_json
from dispatcher.model.fields import KNOWN
from dispatcher.model.records import AUTOASSIGN, IS_TEMPLATE, SEND_ROUTE_CHANGE

_SWITCHES = {"autoassign": AUTOASSIGN, "sendRouteChange": SEND_ROUTE_CHANGE, "isTemplate": IS_TEMPLATE}
_ENVELOPE = frozenset({"data", "ver", "auth"})
_REPLY = frozenset({"status", "jobs"})
_EXPECTED = 'expected {"data": {"jobs": […]}} or a list of jobs'
_Names = Mapping[str, Any]


@dataclass(slots=True)
class Document:
    """The jobs of a document and the switches of its request.

    Attributes:
        jobs: each as raw JSON, or as a decoded value where the text is JSON only to Python (NaN).
        switches: OR of AUTOASSIGN, SEND_ROUTE_CHANGE, IS_TEMPLATE.
        warnings: what was ignored.
    """

    jobs: Sequence[Any]
    switches: int = 0
    warnings: list[str] = field(default_factory=list)


def read_document(text: bytes | memoryview, *, name: str, switches: int = 0, line: int = 1) -> Document:
    """Take a document apart.

    Args:
        text: JSON in UTF-8.
        name: of the file, for messages.
        switches: the wishes where the request says nothing.
        line: number of the text's first line, for messages.

    Raises:
        InputError: not UTF-8, not JSON (with line and column), or not a list or an object with jobs.
    """
    try:
        return _taken_apart(text, name, switches)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Python reads NaN, Infinity and halves of surrogate pairs: with its help the good jobs pass, the bad are named.
        return _taken_apart(tolerant_json(bytes(text), name=name, line=line), name, switches)


def _taken_apart(value: Any, name: str, switches: int) -> Document:
    top = _opened(value)
    if isinstance(top, list):
        return Document(top, switches)
    if not isinstance(top, Mapping):
        raise InputError(f"{name}: {_EXPECTED}, found {_show(top)}")
    document = Document((), switches)
    if "data" in top:
        data = _opened(top["data"])
        if not isinstance(data, Mapping):
            raise InputError(f"{name}: data must be an object with jobs, is {_show(data)}")
        document.switches = _switches(data, name, switches)
        ignored = [f"data.{field}" for field in data.keys() - _SWITCHES.keys() - {"jobs"}] + [*(top.keys() - _ENVELOPE)]
        path = "data.jobs"
    else:
        data = top
        if "jobs" not in top and not KNOWN.isdisjoint(top):
            document.jobs = [bytes(value) if isinstance(value, memoryview) else value]
            return document
        document.switches = _switches(data, name, switches)
        ignored = [*(top.keys() - _SWITCHES.keys() - _REPLY)]
        path = "jobs"
    if "jobs" not in data:
        raise InputError(f"{name}: {_EXPECTED}, found an object without {path}")
    jobs = _opened(data["jobs"])
    if not isinstance(jobs, list):
        raise InputError(f"{name}: {path} must be a list of jobs, is {_show(jobs)}")
    document.jobs = jobs
    if ignored:
        names = ", ".join(sorted(ascii(field)[1:-1] for field in ignored)[:10])
        document.warnings.append(f"{name}: ignored beside the jobs: {names}")
    if "data" not in top and "status" in top:
        document.warnings.append(
            f"{name} looks like a getjobs reply: jobs that exist already are refused for their id (as saved stops "
            "they are the routes of a plan)"
        )
    return document


def _opened(value: Any) -> Any:
    """The outermost layer of raw JSON decoded, what is inside left raw; decoded values stay as they are."""
    if not isinstance(value, bytes | memoryview | msgspec.Raw):
        return value
    try:
        start = bytes(memoryview(value)[:64]).lstrip()[:1]
        if start == b"[":
            return msgspec.json.decode(value, type=list[msgspec.Raw])
        if start == b"{":
            return msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        return msgspec.json.decode(value)
    except ValueError as error:
        if isinstance(error, msgspec.DecodeError | UnicodeDecodeError):
            raise
        raise msgspec.DecodeError(str(error)) from error


def _switches(data: _Names, name: str, switches: int) -> int:
    for field_, bit in _SWITCHES.items():
        if field_ in data:
            wish = _opened(data[field_])
            if wish in ("true", "false"):
                wish = wish == "true"
            if wish is not None and not isinstance(wish, bool):
                raise InputError(f"{name}: {field_} must be true or false, is {_show(wish)}")
            if wish is not None:
                switches = switches | bit if wish else switches & ~bit
    return switches


def _show(value: Any) -> str:
    if value is None:
        return "null"
    words = {bool: "true or false", str: "a text", dict: "an object", list: "a list"}
    return words.get(type(value), "a number")
