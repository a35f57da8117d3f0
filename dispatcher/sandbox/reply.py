"""What a request is answered with, before HTTP is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

FAILED = 1
"""The `status` of every refusal. Hellotracks documents 0 for success and no other value."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer.

    Attributes:
        body: the JSON text; for a createjobs reply None, see `jobs`.
        http_status: of the response.
        headers: beside the content type.
        jobs: the created job objects as JSON texts, in order, which make up the body.
        stream: the body in pieces, for replies too long to be put together at once.
    """

    body: bytes | None = None
    http_status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    jobs: Sequence[bytes] | None = None
    stream: Iterator[bytes] | None = None

    def text(self) -> bytes:
        """The whole body."""
        if self.jobs is not None:
            return b'{"jobs":[' + b",".join(self.jobs) + b'],"status":0}'
        if self.stream is not None:
            return b"".join(self.stream)
        return self.body or b""


@dataclass(frozen=True, slots=True)
class Action:
    """A request that was understood and can be carried out, once.

    Attributes:
        run: carries it out and answers.
        keys: the `uidSecondary` values it mentions, one for each mention.
        jobs: how many jobs it creates or updates.
    """

    run: Callable[[], Reply]
    keys: Sequence[str] = ()
    jobs: int = 0


def success(**content: Any) -> Reply:
    """`/api` form: the content and status 0."""
    return Reply(orjson.dumps({**content, "status": 0}))


def refusal(message: str, *, http_status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """`/api` form: a status other than 0, and a message."""
    return Reply(orjson.dumps({"status": FAILED, "message": message}), http_status, headers or {})


def v1_error(message: str, *, http_status: int, headers: dict[str, str] | None = None) -> Reply:
    """`/v1` form of a failure."""
    return Reply(orjson.dumps({"error": {"message": message}}), http_status, headers or {})
