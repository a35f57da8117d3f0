"""Spacing requests right before the wire, by this process alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from dispatcher.flow import Arrivals, GcraLimiter, Limit, Sent
from dispatcher.pipeline.clock import Clock

LOOK_S = 0.02
"""at the wire it looks again that often: an answer may have shown that a request arrived in time"""


class Pace:
    """Lets requests onto the wire one by one, as the limits allow it there.

    Args:
        limits: those of this process.
        clock: source of time.
    """

    def __init__(self, limits: Iterable[Limit], clock: Clock) -> None:
        limits = tuple(limits)
        self._wire = GcraLimiter(limits, clock.monotonic())
        self._arrivals = Arrivals(limits)
        self._at_the_wire = asyncio.Lock()
        self._clock = clock

    def change(self, limits: Iterable[Limit]) -> None:
        """Keep other limits from now on."""
        limits = tuple(limits)
        self._wire.change(limits, self._clock.monotonic())
        self._arrivals.change(limits)

    async def wait(self) -> Sent:
        """Wait until one more may go; it goes then. `answered` wants the result."""
        async with self._at_the_wire:
            while wait_s := self._delay(now := self._clock.monotonic()):  # noqa: ASYNC110 - waits for time, mostly
                await asyncio.sleep(min(wait_s, LOOK_S))
            self._wire.take(now)
            return self._arrivals.sent(now)

    def _delay(self, now: float) -> float:
        return max(self._wire.delay(now), self._arrivals.delay(now))

    def answered(self, sent: Sent, now: float) -> None:
        """It was answered, or given up."""
        self._arrivals.answered(sent, now)
