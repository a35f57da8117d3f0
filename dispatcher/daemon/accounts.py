"""The daemon's accounts: one spool, and for each account a dispatcher and a desk of its own."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping

from dispatcher.daemon.comeback import RETRY_S
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.metrics import Meters
from dispatcher.daemon.revision import Revision
from dispatcher.pipeline import Dispatcher, FleetFiles
from dispatcher.pipeline.clock import SystemClock
from dispatcher.settings import Settings
from dispatcher.spool import LentSpool, Spool, open_spool


class Accounts:
    """Opens the spool and runs every account on it.

    Args:
        settings: of the process, such as the spool's.
        accounts: settings of each account by its name.
        meters: where acceptances are counted.
        grace_s: how long requests under way may take at the end.
        fleet: members and day routes from files; without it they are read from Hellotracks.
        retry_denied_s: between two tries of an account that was denied.

    Attributes:
        desks: the open accounts by name, always the same object; empty before `open` and after `close`.
        stopping: nothing is taken any more.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Mapping[str, Settings],
        *,
        meters: Meters,
        grace_s: float,
        fleet: FleetFiles | None = None,
        retry_denied_s: float = RETRY_S,
    ) -> None:
        self.desks: dict[str, Desk] = {}
        self.stopping = False
        self._accounts = dict(accounts)
        self._meters = meters
        self._grace_s = grace_s
        self._fleet = fleet
        self._retry_denied_s = retry_denied_s
        self._clock = SystemClock()
        self._spool = open_spool(
            settings.spool,
            max_rows=settings.spool_max_rows,
            min_free_bytes=settings.spool_min_free_bytes,
            node=settings.node,
        )

    @property
    def recovered(self) -> int:
        """Jobs of all accounts whose outcome was open when they were opened."""
        return sum(desk.dispatcher.recovered for desk in self.desks.values())

    @property
    def spool(self) -> Spool:
        """The one that all of them share."""
        return self._spool

    @property
    def busy(self) -> int:
        """Requests whose jobs are on their way into the spool, or that wait for outcomes."""
        return sum(desk.accepting for desk in self.desks.values())

    async def open(self) -> None:
        """Open the spool, then the accounts.

        Raises:
            SpoolUnusable: the spool cannot be opened. Nothing stays open.
        """
        await self._spool.open(now=self._clock.now())
        try:
            for settings in self._accounts.values():
                await self._open_account(settings)
        except BaseException:
            await self.close()
            raise

    def release(self) -> None:
        """The daemon stops: nothing more is taken, and everybody who waits is answered now."""
        self.stopping = True
        for desk in self.desks.values():
            desk.release()

    async def idle(self) -> None:
        """Wait until no request is busy."""
        for desk in tuple(self.desks.values()):
            await desk.idle.wait()

    async def close(self) -> None:
        """End all accounts at once, each within the grace, then close the spool. Idempotent."""
        desks = tuple(self.desks.values())
        try:
            endings = await asyncio.gather(*map(_end, desks), return_exceptions=True)
        finally:
            self.desks.clear()
            await self._spool.close()
        for ending in endings:
            if isinstance(ending, BaseException):
                raise ending

    async def change(self, revision: Revision) -> None:
        """Accounts that stay get their new settings, new ones are opened, others end; all but the last in a moment."""
        accounts = revision.configuration.accounts
        for name in revision.changed:
            self.desks[name].change(self._with_grace(accounts[name]))
        for name in revision.added:
            await self._open_account(accounts[name])
        leaving = [self.desks.pop(name) for name in revision.removed]
        for desk in leaving:
            desk.release()
        endings = await asyncio.gather(*map(_end, leaving), return_exceptions=True)
        for ending in endings:
            if isinstance(ending, BaseException):
                raise ending

    def _with_grace(self, settings: Settings) -> Settings:
        return dataclasses.replace(settings, shutdown_grace_s=self._grace_s)

    async def _open_account(self, settings: Settings) -> None:
        name = settings.account
        self._spool.limit_rows(name, settings.spool_max_rows)
        dispatcher = Dispatcher(
            self._with_grace(settings),
            spool=LentSpool(self._spool, account=name),
            fleet=self._fleet,
            clock=self._clock,
            live=True,
        )
        await dispatcher.__aenter__()
        self.desks[name] = Desk(dispatcher, meters=self._meters, retry_denied_s=self._retry_denied_s)


async def _end(desk: Desk) -> None:
    try:
        await desk.close()
    finally:
        await desk.dispatcher.close()
