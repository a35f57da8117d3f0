"""Settled rows are forgotten after a while, in small steps beside the delivery."""

from __future__ import annotations

import asyncio
import logging

from dispatcher.model.event import Event
from dispatcher.pipeline.clock import Clock
from dispatcher.spool import Spool

_log = logging.getLogger("dispatcher.pipeline")

DAY_S = 86_400.0
STEP_ROWS = 1000
"""rows of one step: some milliseconds of the spool's writer"""
SHARE = 0.1
"""of the time: a step that took long is followed by a longer pause"""
SHORTEST_PAUSE_S = 0.05
EVERY_S = 3600.0
"""between two rounds through the spool, and before a round that failed is tried again"""


class Retention:
    """Deletes settled jobs of an account that nothing has changed for a while.

    Args:
        account: its name.
        spool: open.
        clock: source of time.
        retain_days: how long they stay, in days; 0 for ever.
    """

    def __init__(self, account: str, spool: Spool, clock: Clock, *, retain_days: float) -> None:
        self.pruned = 0
        """rows deleted by this process"""
        self._account = account
        self._spool = spool
        self._clock = clock
        self._retain_s = retain_days * DAY_S

    def change(self, *, retain_days: float) -> None:
        """Keep rows for so long, from the next round on."""
        self._retain_s = retain_days * DAY_S

    async def run(self) -> None:
        """Loop until cancelled."""
        while True:
            if self._retain_s:
                try:
                    await self._round()
                except Exception as error:  # noqa: BLE001 - jobs are delivered whether or not old ones are forgotten
                    _log.warning(Event("old jobs not pruned", error=repr(error), retry_s=EVERY_S))
            await asyncio.sleep(EVERY_S)

    async def _round(self) -> None:
        before = self._clock.now() - self._retain_s
        while True:
            began = self._clock.monotonic()
            pruned = await self._spool.prune(before=before, limit=STEP_ROWS, account=self._account)
            if not pruned:
                return
            self.pruned += pruned
            took_s = self._clock.monotonic() - began
            await asyncio.sleep(max(SHORTEST_PAUSE_S, took_s * (1 / SHARE - 1)))
