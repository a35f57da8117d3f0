"""What is done to daemons and to the database, at random, several things at a time."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests import postgres
from tests.chaos.daemon import Daemon

KINDS = {
    "kill": "a daemon is killed and started again at once",
    "long kill": "a daemon is killed and stays away for longer than its lease",
    "pause": "a daemon is stopped (SIGSTOP) for less than its lease",
    "long pause": "a daemon is stopped for longer than its lease, and wakes up as another node",
    "restart": "the database is killed without a checkpoint and comes back after a while",
    "cut": "every connection to the database is cut",
}
DAEMON_SHARES = {"kill": 0.35, "long kill": 0.15, "pause": 0.2, "long pause": 0.3}
AWAY_S = (0.5, 6.0)
"""How long a restarted database is away."""
QUIET_S = (0.2, 2.0)
"""Between what one hand does to daemons."""
DATABASE_EVERY_S = (6.0, 14.0)


@dataclass(frozen=True, slots=True)
class Blow:
    """One thing that was done.

    Attributes:
        kind: of `KINDS`.
        whom: the daemon's name, "" for the database.
        began, ended: monotonic seconds; until it was up again.
    """

    kind: str
    whom: str
    began: float
    ended: float


class Storm:
    """Two hands that torment daemons and one that torments the database, until told to end.

    Args:
        daemons: running.
        dsn: of the database.
        lease_s: of the daemons.
        dice: what comes when.
        database: whether the database may be restarted; its connections are cut anyway.
    """

    def __init__(
        self, daemons: Sequence[Daemon], dsn: str, *, lease_s: float, dice: random.Random, database: bool
    ) -> None:
        self.blows: list[Blow] = []
        self._free = list(daemons)
        self._dsn = dsn
        self._lease_s = lease_s
        self._dice = dice
        self._database = database
        self._wanted = [*DAEMON_SHARES]
        dice.shuffle(self._wanted)

    async def rage(self, seconds: float) -> None:
        """For so long, until each kind has come, and until everything that was begun is over."""
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as hands:
            hands.create_task(self._daemons(end))
            hands.create_task(self._daemons(end))
            hands.create_task(self._databases(end))

    async def _daemons(self, end: float) -> None:
        while time.monotonic() < end or self._wanted:
            await asyncio.sleep(self._dice.uniform(*QUIET_S))
            daemon = self._free.pop(self._dice.randrange(len(self._free)))
            try:
                await self._strike(daemon)
            finally:
                self._free.append(daemon)

    async def _strike(self, daemon: Daemon) -> None:
        # each kind once, then by chance
        kind = (
            self._wanted.pop() if self._wanted else self._dice.choices([*DAEMON_SHARES], [*DAEMON_SHARES.values()])[0]
        )
        async with self._noted(kind, daemon.name):
            if kind.endswith("kill"):
                await daemon.kill()
                if kind == "long kill":
                    await asyncio.sleep(self._lease_s * self._dice.uniform(1.2, 2.0))
                await daemon.start()
                return
            daemon.send(signal.SIGSTOP)
            share = (1.3, 2.5) if kind == "long pause" else (0.1, 0.8)
            try:
                await asyncio.sleep(self._lease_s * self._dice.uniform(*share))
            finally:
                daemon.send(signal.SIGCONT)

    async def _databases(self, end: float) -> None:
        restart = self._database
        while time.monotonic() < end:
            await asyncio.sleep(min(self._dice.uniform(*DATABASE_EVERY_S), max(0.0, end - time.monotonic())))
            if restart:
                async with self._noted("restart", ""):
                    await asyncio.to_thread(postgres.restart, away_s=self._dice.uniform(*AWAY_S))
            else:
                async with self._noted("cut", ""):
                    await postgres.execute(self._dsn, postgres.CUT_OFF)
            restart = self._database and self._dice.random() < 0.7

    @asynccontextmanager
    async def _noted(self, kind: str, whom: str) -> AsyncIterator[None]:
        began = time.monotonic()
        yield
        self.blows.append(Blow(kind, whom, began, time.monotonic()))
