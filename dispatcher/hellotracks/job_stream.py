"""Jobs out of a long reply while it is still arriving, in flat memory.

A day of 100 000 jobs is 180 MB of JSON. The reply is `{"status": 0, "jobs": [{…}, {…}, …]}`: this takes the array's
objects off one by one and keeps only the frame around them, which is then judged like any other reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

LONGEST_JOB = 4 * 1024 * 1024
"""Bytes of one job; more is not Hellotracks'."""
_LONGEST_FRAME = 64 * 1024
"""Bytes before the first job; a reply that is framed in another way is kept whole."""

_STRING = rb'"(?:[^"\\]|\\.)*+"'
_SCALAR = rb"(?:" + _STRING + rb"|[-+0-9.eE]+|true|false|null)"
_HEAD = re.compile(rb"\s*+\{(?:\s*+" + _STRING + rb"\s*+:\s*+" + _SCALAR + rb'\s*+,)*?\s*+"jobs"\s*+:\s*+\[', re.DOTALL)
_BETWEEN = re.compile(rb"[\s,]*+")
_TOKEN = re.compile(rb"[{}]|" + _STRING + rb'|"', re.DOTALL)
"""A brace, a whole string, or the quote of a string whose end has not arrived."""

_NOT_JSON = (msgspec.DecodeError, ValueError, RecursionError)

T = TypeVar("T")


class ForeignArray(ValueError):  # noqa: N818 - named for what came
    """What stands in the array is not a list of JSON objects."""


class JobStream(Generic[T]):
    """Feed it chunks, take jobs.

    Args:
        decode: turns the bytes of one JSON object into what is wanted of it, raising `msgspec.DecodeError` for anything
            that is not one whole object.
    """

    __slots__ = ("_buffer", "_decode", "_depth", "_frame", "_rest", "_scanned", "_state")

    def __init__(self, decode: Callable[[bytes], T]) -> None:
        self._decode = decode
        self._buffer = b""
        self._frame = b""
        self._rest: list[bytes] = []
        self._state = "head"
        self._scanned = 0
        self._depth = 0

    def feed(self, chunk: bytes) -> list[tuple[T, bytes]]:
        """The jobs completed by this chunk, each decoded and in its own bytes.

        Raises:
            ForeignArray: the array holds something else, or a job without end.
        """
        if self._state == "rest":
            self._rest.append(chunk)
            return []
        self._buffer += chunk
        if self._state == "head":
            self._find_array()
        return self._take_jobs() if self._state == "jobs" else []

    def frame(self) -> bytes:
        """After the last chunk: the reply with the jobs taken out; whole when it was framed in another way."""
        return b"".join((self._frame, self._buffer, *self._rest))

    def _find_array(self) -> None:
        head = _HEAD.match(self._buffer)
        if head:
            self._frame = self._buffer[: head.end()]
            self._buffer = self._buffer[head.end() :]
            self._state = "jobs"
        elif len(self._buffer) > _LONGEST_FRAME:
            self._state = "rest"

    def _take_jobs(self) -> list[tuple[T, bytes]]:
        buffer, jobs, start = self._buffer, [], 0
        while True:
            start = _BETWEEN.match(buffer, start).end()  # type: ignore[union-attr]  # it matches the empty text too
            if start == len(buffer):
                break
            if buffer[start : start + 1] == b"]":
                self._state = "rest"
                break
            if buffer[start : start + 1] != b"{":
                raise ForeignArray("the list of jobs holds something that is not an object")
            taken = self._take_job(start)
            if taken is None:
                break
            job, end = taken
            jobs.append((job, buffer[start:end]))
            start = end
        self._buffer = buffer[start:]
        return jobs

    def _take_job(self, start: int) -> tuple[T, int] | None:
        """The object at `start` and its end; None when it has not arrived whole."""
        buffer = self._buffer
        if self._scanned == 0:
            # most jobs hold no inner object, so the first brace is their end; where it is not, decoding fails, for an
            # object cut short is never a valid one
            end = buffer.find(b"}", start) + 1
            if end:
                try:
                    return self._decode(buffer[start:end]), end
                except _NOT_JSON:
                    pass
        end = self._scan(start)
        if end:
            self._scanned = 0
            try:
                return self._decode(buffer[start:end]), end
            except _NOT_JSON as exc:
                raise ForeignArray(f"a job is not JSON: {exc}") from exc
        if len(buffer) - start > LONGEST_JOB:
            raise ForeignArray("a job without end")
        return None

    def _scan(self, start: int) -> int:
        """End of the object at `start`, 0 when it has not arrived.

        Counts braces outside of strings and goes on where the last call stopped.
        """
        for token in _TOKEN.finditer(self._buffer, start + self._scanned):
            brace = token.group()
            if brace == b"{":
                self._depth += 1
            elif brace == b"}":
                self._depth -= 1
                if self._depth == 0:
                    return token.end()
            elif brace == b'"':
                self._scanned = token.start() - start
                return 0
        self._scanned = len(self._buffer) - start
        return 0
