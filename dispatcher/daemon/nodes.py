"""The other daemons on the same database, looked at once for all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.errors import SpoolError
from dispatcher.spool import Spool
from dispatcher.spool.roster import Roster, Shared, shared_of

FRESH_S = 1.0
"""A roster is at least this old before it is asked for anew."""
PATIENCE_S = 2.0
"""A question that has not been answered for so long means that the database is away."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A roster as it was last told.

    Attributes:
        roster: the nodes.
        age_s: since it was told, infinite when it never was.
        problem: why it is not of now, "" when it is.
    """

    roster: Roster
    age_s: float
    problem: str


class Nodes:
    """Looks at the nodes of a spool that is shared.

    Args:
        spool: shared or not.
        clock: seconds that never step back.

    Attributes:
        shared: the spool as others share it, None when it is this process's alone.
    """

    def __init__(self, spool: Spool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.shared: Shared | None = shared_of(spool)
        self._clock = clock
        self._roster = Roster()
        self._told_at = float("-inf")
        self._asked_at = float("-inf")
        self._problem = ""
        self._asking: asyncio.Task[None] | None = None

    def hurry(self) -> None:
        """Ask unless the last answer is fresh or a question is under way. Never waits."""
        fresh = self._clock() - self._asked_at < FRESH_S
        if self.shared is not None and not fresh and (self._asking is None or self._asking.done()):
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._ask(self.shared), name="nodes")

    async def look(self) -> Seen:
        """The nodes as of now, or what was last known when the database does not answer in time."""
        self.hurry()
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=PATIENCE_S)
        return self.seen()

    def seen(self) -> Seen:
        """What is known. Never waits."""
        now = self._clock()
        problem = self._problem
        if self._asking is not None and not self._asking.done() and now - self._asked_at > PATIENCE_S:
            problem = problem or "the database does not answer"
        return Seen(self._roster, now - self._told_at, problem)

    async def close(self) -> None:
        """Ask no more. Before the spool is closed. Idempotent."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self, shared: Shared) -> None:
        try:
            self._roster = await shared.roster()
        except SpoolError as error:
            self._problem = str(error)
        else:
            self._problem, self._told_at = "", self._clock()
