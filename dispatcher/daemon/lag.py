"""How late the event loop comes round: what every request waits when something holds the loop up."""

from __future__ import annotations

import asyncio

from dispatcher.model.histogram import Histogram

EVERY_S = 0.25
LAG_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class LoopLag:
    """Sleeps and looks how much later it wakes.

    Attributes:
        seconds: how much later, each time.
    """

    def __init__(self, *, every_s: float = EVERY_S) -> None:
        self.seconds = Histogram(LAG_BUCKETS_S)
        self._every_s = every_s

    async def run(self) -> None:
        """Loop until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._every_s
            await asyncio.sleep(self._every_s)
            self.seconds.observe(max(0.0, loop.time() - due))
