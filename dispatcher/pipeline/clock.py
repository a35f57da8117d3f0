"""Time for the pipeline: a wall clock that does not jump, and the real one for the engine."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the pipeline reads the time. Injected, so that tests run on a virtual one."""

    def now(self) -> float:
        """Unix seconds that never step back while the process lives: for everything written to the spool."""
        ...

    def wall(self) -> float:
        """Unix seconds as the machine says right now: for the engine's `now` and `today`."""
        ...

    def monotonic(self) -> float:
        """Seconds for durations, limits and round trips."""
        ...


class SystemClock:
    """The machine's clocks.

    `now` is the wall clock at the start plus the monotonic time since, so an adjusted clock neither freezes retries nor
    lets them all go at once.
    """

    __slots__ = ("_offset_s",)

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def now(self) -> float:
        return time.monotonic() + self._offset_s

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def utc_text(at: float) -> str:
    """A Unix time as people read it, to the second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
