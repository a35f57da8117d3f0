"""Who leads which account: read, taken over and given back, inside a transaction of the writer.

A row of `leaders` names a node by its number. It leads for as long as that number has not ended, and whatever it writes
is fenced by the same number; so a leader that was replaced writes nothing. Numbers below zero have resigned.

To take an account over its row is locked first and judged then, by a statement that sees all that was committed before:
a leader that came in between is there, and so is its node.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection


SETTLED_S = 15.0
"""A process has loaded its engine by then, on a busy machine too; until then older ones go before it."""
TOGETHER_S = 5.0
"""Processes that started so soon after each other count as equally old."""


@dataclass(frozen=True, slots=True)
class Lead:
    """An account's leader.

    Attributes:
        node: fencing number, below 0 when it has resigned.
        term: counts the leaders.
        name: the node's, "" when nobody leads.
        vacant_s: for how long nobody has (s); 0 while somebody does.
    """

    node: int
    term: int
    name: str
    vacant_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a look has found.

    Attributes:
        node: number of the node that looked.
        leads: by account.
        peers: how many other nodes there are.
        left_s: for how long the lease of each of them still runs at least (s), below 0 when that of one has run out and
            it could not be ended; infinite when there is none.
    """

    node: int
    leads: Mapping[str, Lead]
    peers: int
    left_s: float


async def look(
    connection: Connection, node: int, accounts: Collection[str], *, at_once: Collection[str], patience_s: float
) -> Found:
    """Who leads these accounts; those that nobody leads are taken where it is this node's turn.

    Args:
        connection: inside a transaction of this node, behind its fence.
        node: number of this node.
        accounts: that it would lead.
        at_once: those of them that it takes out of turn, unless others have been there for longer.
        patience_s: an account that nobody has led for so long is anybody's.
    """
    living = await connection.fetch(SQL["living"])
    nodes = {row["id"]: (row["name"], row["up_s"]) for row in living if row["left_s"] > 0}
    leads = await _leads(connection, accounts)
    absent = sorted(set(accounts) - leads.keys())
    if absent:
        await connection.execute(SQL["add_leaders"], absent)
        leads |= await _leads(connection, absent)
    wanted = []
    for account, lead in leads.items():
        again = account in at_once and lead.node == -node
        settled = _settled(nodes, resigned=0 if again else -lead.node)
        may = node in settled if account in at_once else _turn(account, settled) == node
        if not lead.name and (may or lead.vacant_s > patience_s):
            wanted.append(account)
    if wanted:
        await connection.fetch(SQL["lock_leaders"], sorted(wanted))
        await connection.execute(SQL["take_over"], node, wanted)
        leads |= await _leads(connection, wanted)
    others = [row["left_s"] for row in living if row["id"] != node]
    return Found(node, leads, len(others), min(others, default=math.inf))


async def resign(connection: Connection, node: int, standing: Collection[str]) -> None:
    """Give back every account but those that the node stands for."""
    await connection.execute(SQL["resign"], node, list(standing))


async def _leads(connection: Connection, accounts: Collection[str]) -> dict[str, Lead]:
    rows = await connection.fetch(SQL["leads"], list(accounts))
    return {account: Lead(node, term, name or "", vacant_s) for account, node, term, name, vacant_s in rows}


def _settled(nodes: Mapping[int, tuple[str, float]], *, resigned: int) -> dict[int, str]:
    """Of nodes, each with name and age (s): those that are not on their way out and have been there for long enough."""
    left = {number: one for number, one in nodes.items() if number != resigned}
    least_s = min(SETTLED_S, max((up_s for _, up_s in left.values()), default=0.0) - TOGETHER_S)
    return {number: name for number, (name, up_s) in left.items() if up_s >= least_s}


def _turn(account: str, nodes: Mapping[int, str]) -> int | None:
    """Whose turn it is: the accounts of a node that has gone spread over those that are left (rendezvous hashing)."""
    return max(nodes, key=lambda number: _weight(account, nodes[number]), default=None)


def _weight(account: str, name: str) -> bytes:
    return blake2b(f"{account}\0{name}".encode(), digest_size=8).digest()
