"""A clock that only moves forward, made from one that may jump."""

from __future__ import annotations

BACKWARD_TOLERANCE_S = 1.0
"""A step back by less is waited out (readings out of order, a clock being slewed); by more, the clock was set."""


class SteadyClock:
    """Seconds since its creation, counted by the readings that the caller hands in.

    When the caller's clock is set back, no time passes at that step; afterwards it goes on from there, so nothing
    freezes. When it jumps forward, the jump counts as time: it cannot be told from a long silence. What is built on
    this clock must therefore stay within its bounds after any silence.
    """

    __slots__ = ("_last", "_steady")

    def __init__(self, now: float) -> None:
        self._last = now
        self._steady = 0.0

    def read(self, now: float) -> float:
        """Seconds since creation; never less than the reading before."""
        step = now - self._last
        if step > 0.0:
            self._steady += step
            self._last = now
        elif step < -BACKWARD_TOLERANCE_S:
            self._last = now
        return self._steady

    @property
    def last(self) -> float:
        """The reading before, without moving the clock."""
        return self._steady
