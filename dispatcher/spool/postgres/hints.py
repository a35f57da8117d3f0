"""Hints that something may be there to do. Nothing depends on them: whoever misses one looks a little later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from dispatcher.model.event import Event
from dispatcher.spool.postgres.link import LOST, Address

_log = logging.getLogger("dispatcher.spool")

CHANNEL = "dispatcher"
AGAIN_S = 5.0
"""Between two attempts to listen."""

Watcher = Callable[[str], None]


class Listener:
    """Listens on a connection of its own, for that is what LISTEN needs.

    Args:
        address: where to; not a pool in transaction mode.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._watchers: list[Watcher] = []
        self._lost = asyncio.Event()

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher(account)` when a backend has enqueued something for it; the returned function ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except LOST as error:
                _log.info(Event("no hints from the database", error=str(error)))
            await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        connection = await self._address.connect()
        try:
            self._lost.clear()
            connection.add_termination_listener(lambda _: self._lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            await self._lost.wait()
        finally:
            connection.terminate()

    def _heard(self, connection: object, pid: int, channel: str, account: object) -> None:  # noqa: ARG002 - asyncpg's
        for watcher in tuple(self._watchers):
            watcher(str(account))
