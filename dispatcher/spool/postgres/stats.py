"""How large the tables are, and who works on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from dispatcher.spool.postgres.statements import SQL, VIEW_SQL
from dispatcher.spool.roster import REMEMBERED_S, LeaderRecord, NodeRecord, Roster

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection


@dataclass(frozen=True, slots=True)
class NodeStats:
    """A process that works on the database.

    Attributes:
        id: fencing number.
        name: as the setting `node` says, or a made-up one.
        host, pid: where it runs.
        knows_version: the schema version that its program knows.
        up_s: seconds since it joined.
        lease_s: seconds until its lease runs out, below 0 when it has.
    """

    id: int
    name: str
    host: str
    pid: int
    knows_version: int
    up_s: float
    lease_s: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """What backends have enqueued for an account and nobody has taken up: how many, and for how long (s)."""

    account: str
    jobs: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """How large the tables are.

    Attributes:
        table_bytes: all tables with their indexes.
        dead_bytes: about so much of that is taken by rows that are gone; used again once they are cleared away.
        outbox: per account that has something there.
    """

    table_bytes: int
    dead_bytes: int
    outbox: Sequence[Waiting]


async def nodes(connection: Connection) -> list[NodeStats]:
    """The nodes that live."""
    return [NodeStats(*row) for row in await connection.fetch(SQL["all_nodes"])]


async def roster(connection: Connection) -> Roster:
    """Nodes and leaders, those that went lately among them."""
    found = [
        NodeRecord(**{**row, "report": orjson.loads(row["report"])})
        for row in await connection.fetch(VIEW_SQL["roster"], REMEMBERED_S)
    ]
    return Roster(found, [LeaderRecord(*row) for row in await connection.fetch(VIEW_SQL["all_leaders"])])


async def stats(connection: Connection) -> DatabaseStats:
    """Measure the tables."""
    tables = await connection.fetch(VIEW_SQL["sizes"])
    return DatabaseStats(
        table_bytes=sum(size for _, size, _, _ in tables),
        dead_bytes=sum(size * dead // (live + dead) for _, size, live, dead in tables if dead),
        outbox=[Waiting(*row) for row in await connection.fetch(VIEW_SQL["outbox_waiting"])],
    )
