"""A process among others on one database: its lease, its fencing number, and the end of those whose lease ran out.

The lease is the node's, not the row's: a row names the node that works on it, and is free as soon as that node has
ended. A node's number is given once and never again. Every write begins with the fence (`SQL["fence"]`), which holds
the node's row until the commit; so nobody can end a node between its check and its commit.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import asyncpg

from dispatcher.errors import SpoolUnusable
from dispatcher.model.event import Event
from dispatcher.model.state import State
from dispatcher.spool.encoding import CODE
from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.link import LEASE_S
from dispatcher.spool.postgres.schema import VERSION
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

_log = logging.getLogger("dispatcher.spool")

BEATS_PER_LEASE = 5
NOT_YET_S = 3e8
"""Ten years: no lease ran out that long ago, but that of a node that has left is from 1970."""
REMEMBERED_S = 86_400.0
"""How long ended nodes are kept, for those who ask what became of a commit."""
TRIES = 5

_SENDING = CODE[State.SENDING]
_UNKNOWN = CODE[State.UNKNOWN]


class Node:
    """This process.

    Args:
        name: of the node, the same after every restart; then what its last life has held is taken over at once. "": a
            name that nobody else has; then that waits until the lease has run out.
        lease_s: a process that has not written for so long is taken for dead, in seconds.

    Attributes:
        id: fencing number, 0 before `join`.
        program: what runs here, and its version.
        address: where it listens, "" when it does not.
        report: asked at every beat for a JSON object that the others are told of this process.
    """

    __slots__ = ("_lives_until", "address", "id", "lease_s", "name", "named", "program", "report")

    def __init__(self, name: str = "", *, lease_s: float = LEASE_S) -> None:
        self.named = bool(name)
        self.name = name or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.lease_s = lease_s
        self.id = 0
        self.program = ""
        self.address = ""
        self.report: Callable[[], str] = _nothing
        self._lives_until = float("-inf")

    def __repr__(self) -> str:
        return f"<Node {self.id} {self.name}>"

    @property
    def lives(self) -> bool:
        """Whether the lease runs for certain: nobody else can have ended this node.

        By this process's own clock, from before the write that renewed it; so it ends here before it does at the
        database.
        """
        return time.monotonic() < self._lives_until

    def renewed(self, began: float) -> None:
        """A write that began at this monotonic time has renewed the lease."""
        self._lives_until = began + self.lease_s

    async def join(self, connection: Connection, *, now: float) -> int:
        """Become a node with a number of its own. What an earlier life of the same name was sending becomes unknown.

        Returns how many rows did.

        Raises:
            SpoolUnusable: that life goes on, in another process of this machine.
        """
        other = await connection.fetchrow(SQL["name_in_use"], self.name)
        if other is not None and other["living"] and _runs_here(other["host"], other["pid"]):
            raise SpoolUnusable(
                f"the node name {self.name} is in use by process {other['pid']} of this machine; "
                "give every process a name of its own, or none"
            )
        for left in range(TRIES - 1, -1, -1):
            began = time.monotonic()
            try:
                async with connection.transaction():
                    dead = [row[0] for row in await connection.fetch(SQL["end_named"], self.name)]
                    dead += [row[0] for row in await connection.fetch(SQL["end_expired"], self.lease_s)]
                    number = await connection.fetchval(
                        SQL["register"],
                        *(self.name, socket.gethostname(), os.getpid(), VERSION, self.lease_s),
                        *(self.program, self.address),
                    )
                    group = Group(int(number))
                    recovered = await abandon(connection, group, dead, now=now)
                    await group.count(connection)
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                if not left:
                    raise
            else:
                self.id = int(number)
                self.renewed(began)
                return recovered
        raise AssertionError

    async def rejoin(self, connection: Connection, *, now: float) -> None:
        """Become a new node after this one was ended because its lease ran out.

        Raises:
            SpoolUnusable: another process has taken the name.
        """
        other = await connection.fetchrow(SQL["name_in_use"], self.name)
        if other is not None:
            raise SpoolUnusable(
                f"the node name {self.name} was taken over by process {other['pid']} on {other['host']}; "
                "give every daemon a name of its own"
            )
        await self.join(connection, now=now)

    async def leave(self, connection: Connection) -> None:
        """Go: whoever looks next takes over what is left."""
        await connection.execute(SQL["leave"], self.id)

    async def look(self, connection: Connection, group: Group, *, now: float, steady: bool) -> int:
        """End nodes whose lease has run out, inside a transaction; how many rows became unknown.

        Args:
            connection: inside a transaction.
            group: counted on.
            now: Unix time.
            steady: this process has reached the database for a whole lease. Otherwise the database itself was away, and
                the others may be as well as this one.
        """
        await connection.execute(SQL["tell"], self.id, self.program, self.address, self._reported())
        expired = await connection.fetch(SQL["end_expired"], 0.0 if steady else NOT_YET_S)
        unknown = await abandon(connection, group, [row[0] for row in expired], now=now)
        await connection.execute(SQL["forget_nodes"], REMEMBERED_S)
        return unknown

    def _reported(self) -> str:
        try:
            return self.report()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the lease goes on
            _log.warning(Event("nothing to tell", node=self.name, error=repr(error)))
            return "{}"


def _nothing() -> str:
    return "{}"


def _runs_here(host: str, pid: int) -> bool:
    """Whether another process of this machine has that number."""
    if host != socket.gethostname() or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


async def abandon(connection: Connection, group: Group, dead: Sequence[int], *, now: float) -> int:
    """Take over what ended nodes have left, these just now and those before them; how many rows they were sending."""
    rows = 0
    for account, sending in await connection.fetch(SQL["abandoned"], now):
        group.counts[account, _SENDING] -= sending
        group.counts[account, _UNKNOWN] += sending
        rows += sending
    if dead:
        await connection.execute(SQL["inherit"], list(dead))
    return rows
