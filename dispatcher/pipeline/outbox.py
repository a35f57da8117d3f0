"""The intake stage: what backends have enqueued in the database is taken up, where the spool is one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from dispatcher.model.event import Event
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.stage import Stage
from dispatcher.spool import Outbox, Spool

_log = logging.getLogger("dispatcher.pipeline")

LOOK_EVERY_S = 1.0
"""without a hint"""
PAGE_JOBS = 1000


class Collector(Stage):
    """Takes up what was enqueued for an account.

    Args:
        account: its name.
        spool: open.
        outbox: of the spool.
        clock: source of time.
        accepted: called when there are new rows.
    """

    def __init__(
        self, account: str, spool: Spool, clock: Clock, *, outbox: Outbox, accepted: Callable[[], None]
    ) -> None:
        super().__init__(account, spool, clock)
        self.collected = 0
        """jobs taken up by this process, bad ones too"""
        self._outbox = outbox
        self._accepted = accepted

    async def run(self) -> None:
        """Loop until cancelled."""
        unwatch = self._outbox.watch(self._hint)
        try:
            await super().run()
        finally:
            unwatch()

    async def step(self) -> bool:
        done = await self._outbox.collect(self.account, now=self.clock.now(), limit=PAGE_JOBS)
        self.collected += done.jobs
        if done.accepted:
            self._accepted()
        if done.rejected:
            _log.warning(Event("enqueued jobs rejected", account=self.account, jobs=done.rejected))
        return done.jobs > 0

    def _hint(self, account: str) -> None:
        if account == self.account:
            self.wake()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._woken.wait()
