"""The loop every stage is built on: work while there is some, then wait to be woken or for the next due time."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from dispatcher.errors import SpoolError
from dispatcher.model.event import Event
from dispatcher.pipeline.clock import Clock
from dispatcher.spool import Spool

_log = logging.getLogger("dispatcher.pipeline")

IDLE_S = 1.0
"""an idle stage looks at the spool at least this often; a missed wake-up costs a second, never a job"""
SPOOL_RETRY_S = 1.0


class Stage(ABC):
    """A part of the pipeline that runs for as long as the account is open.

    Stages hand work to one another through the spool only, so a crash between two of them loses nothing.
    """

    def __init__(self, account: str, spool: Spool, clock: Clock) -> None:
        self.account = account
        self.spool = spool
        self.clock = clock
        self.busy = False
        self.beat_at = clock.monotonic()
        """monotonic time at which the loop last came round"""
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be work now."""
        self._woken.set()

    async def run(self) -> None:
        """Loop until cancelled."""
        while True:
            self.beat_at = self.clock.monotonic()
            self._woken.clear()
            try:
                self.busy = await self.step()
                if not self.busy:
                    await self._rest()
            except SpoolError as error:
                _log.error(
                    Event("spool failed", account=self.account, stage=type(self).__name__.lower(), error=str(error))
                )
                await asyncio.sleep(SPOOL_RETRY_S)

    @abstractmethod
    async def step(self) -> bool:
        """Do one piece of work; False when there was none."""

    async def _rest(self) -> None:
        now = self.clock.now()
        due = await self.spool.next_due(self.account, now=now)
        wait_s = IDLE_S if due is None else min(IDLE_S, max(0.01, due - now))
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            pass
