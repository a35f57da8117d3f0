"""Hints that something may be there to do. Nothing depends on them: whoever misses one looks a little later.

All go over one channel. A backend that enqueues jobs names the account and nothing else; what nodes tell each other is
a JSON object.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from dispatcher.model.event import Event
from dispatcher.spool.cluster import About, Hint
from dispatcher.spool.postgres.link import LOST, Address
from dispatcher.spool.postgres.node import Node
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

_log = logging.getLogger("dispatcher.spool")

CHANNEL = "dispatcher"
AGAIN_S = 5.0
"""Between two attempts to listen."""
GAP_S = 0.05
"""Between two statements that give hints: what comes up meanwhile goes together, the same hint once."""
CLOSE_S = 1.0
"""For the last hints of a node that goes."""
MOST_DAYS = 100
"""A hint that names more is about all days: it must fit into a notification."""

Watcher = Callable[[str], None]
Hearer = Callable[[Hint], None]


class _Words(msgspec.Struct, frozen=True, omit_defaults=True):
    """A hint on its way."""

    node: int
    account: str
    about: About
    days: tuple[int, ...] = ()


_read = msgspec.json.Decoder(_Words).decode


class Hints:
    """Listens on a connection of its own, for that is what LISTEN needs, and tells the others over the same.

    Args:
        address: where to; not a pool in transaction mode.
        node: this process, which does not listen to itself.
    """

    def __init__(self, address: Address, node: Node) -> None:
        self._address = address
        self._node = node
        self._watchers: list[Watcher] = []
        self._hearers: list[Hearer] = []
        self._owed: dict[tuple[str, About], set[int] | None] = {}
        self._some = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._connected = False
        """once at least"""

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher(account)` when a backend has enqueued something for it; the returned function ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def hear(self, hearer: Hearer) -> Callable[[], None]:
        """Call `hearer(hint)` for the hints of other nodes; the returned function ends that."""
        self._hearers.append(hearer)
        return lambda: self._hearers.remove(hearer)

    def tell(self, hint: Hint) -> None:
        """Give the others a hint soon. It waits for the first connection; while a later one is lost, it is dropped."""
        if self._task is None or (self._connected and self._connection is None):
            return
        days = self._owed.setdefault((hint.account, hint.about), set())
        if days is not None:
            days.update(hint.days)
            if not hint.days or len(days) > MOST_DAYS:
                self._owed[hint.account, hint.about] = None
        self._some.set()

    def start(self) -> None:
        """Listen and tell until `close`."""
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="spool hints")

    async def close(self) -> None:
        """Tell what is owed, and end. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        self._closing = True
        self._some.set()
        if self._connection is not None:
            await asyncio.wait({task}, timeout=CLOSE_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def abandon(self) -> None:
        """End without a word, for tests."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while not self._closing:
            try:
                await self._serve()
            except LOST as error:
                _log.info(Event("no hints from the database", error=str(error)))
            if not self._closing:
                await asyncio.sleep(AGAIN_S)

    async def _serve(self) -> None:
        connection = await self._address.connect()
        try:
            connection.add_termination_listener(lambda _: self._some.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._connection, self._connected = connection, True
            while not connection.is_closed():
                await self._some.wait()
                await self._tell_all(connection)
                if self._closing:
                    return
                await asyncio.sleep(GAP_S)
        finally:
            self._connection = None
            self._owed.clear()
            connection.terminate()

    async def _tell_all(self, connection: Connection) -> None:
        self._some.clear()
        owed, self._owed = self._owed, {}
        if owed and not connection.is_closed():
            node = self._node.id
            words = [_Words(node, account, about, tuple(sorted(days or ()))) for (account, about), days in owed.items()]
            await connection.execute(SQL["give_hints"], [msgspec.json.encode(one).decode() for one in words])

    def _heard(self, connection: object, pid: int, channel: str, payload: object) -> None:  # noqa: ARG002 - asyncpg's
        text = str(payload)
        try:
            words = _read(text)
        except msgspec.DecodeError:
            words = None
        if words is None:
            for watcher in tuple(self._watchers):
                watcher(text)
        elif words.node != self._node.id:
            hint = Hint(words.account, words.about, words.days)
            for hearer in tuple(self._hearers):
                hearer(hint)
