"""The sign of life for the service manager: given by the sending loops themselves, not by a timer beside them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

from dispatcher.daemon.desk import Desk
from dispatcher.daemon.notify import Notifier
from dispatcher.daemon.sample import UNSETTLED
from dispatcher.errors import DispatcherError
from dispatcher.pipeline.turn import LONGEST_WAIT_S

_log = logging.getLogger("dispatcher.daemon")

STATUS_EVERY_S = 5.0
LONGEST_STATUS = 300
PINGS = 4
"""How often within the manager's patience."""


class Watchdog:
    """Says that the process is alive for as long as every account's sending loop comes round.

    A loop comes round when it has nothing to do, waits for its turn or for a server that is away. When one hangs, or
    the event loop does, nothing is said any more and the manager restarts the process; what was under way is looked up
    then.
    An account whose sending has ended (a denied key, a fault) is not hung: it is tried again from time to time.

    Args:
        notifier: tells the manager.
        desks: the accounts.
        patience_s: how long a loop may be silent; without it half the manager's patience, and longer than any wait.
    """

    def __init__(self, notifier: Notifier, desks: Mapping[str, Desk], *, patience_s: float | None = None) -> None:
        self._notifier = notifier
        self._desks = desks
        watchdog_s = notifier.watchdog_s
        self._every_s = STATUS_EVERY_S if watchdog_s is None else min(STATUS_EVERY_S, watchdog_s / PINGS)
        self._patience_s = max((watchdog_s or 0.0) / 2, 2 * LONGEST_WAIT_S) if patience_s is None else patience_s
        self._told: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Loop until cancelled."""
        if not self._notifier.wanted:
            return
        while True:
            hung = self.hung()
            if not hung and self._notifier.watchdog_s:
                self._notifier.alive()
            for name in sorted(hung - self._told):
                _log.error("sending for %s hangs: no sign of life for %.0f s", name, self._patience_s)
            self._told = hung
            with suppress(DispatcherError):  # an account that is being closed
                self._notifier.status(await self.status())
            await asyncio.sleep(self._every_s)

    def hung(self) -> frozenset[str]:
        """Accounts whose sending loop has not come round for too long."""
        return frozenset(name for name, desk in self._desks.items() if _silent_s(desk) > self._patience_s)

    async def status(self) -> str:
        """How things are, in a line."""
        waiting = under_way = 0
        problems: list[str] = []
        for name, desk in tuple(self._desks.items()):
            counts = await desk.dispatcher.counts()
            waiting += sum(counts[state] for state in UNSETTLED)
            under_way += desk.dispatcher.pipeline.sender.in_flight
            why = desk.problem or desk.dispatcher.pipeline.turnstile.waiting_for
            if why:
                problems.append(f"{name}: {why}")
        words = f"{waiting} jobs not through, {under_way} requests under way"
        return "; ".join([words, *problems])[:LONGEST_STATUS]


def _silent_s(desk: Desk) -> float:
    try:
        return desk.dispatcher.pipeline.sender_silent_s
    except DispatcherError:  # it is being closed, which has a time limit of its own
        return 0.0
