"""A database as it stands, for those who only look: no node, no claim, no write."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.records import WITHDRAWN, Receipt
from dispatcher.model.state import State
from dispatcher.spool.encoding import STATES
from dispatcher.spool.postgres import check, reading, schema
from dispatcher.spool.postgres.link import Address, Connection, Link
from dispatcher.spool.postgres.statements import SQL, VIEW_SQL
from dispatcher.spool.postgres.stats import DatabaseStats, NodeStats, nodes, roster, stats
from dispatcher.spool.roster import Roster
from dispatcher.spool.view import LAST_SEQ, PAGE_ROWS, Filter

T = TypeVar("T")


class PostgresView:
    """A database opened for looking. A context manager; used from the thread that opened it, outside any event loop.

    The questions are those of `SpoolView`.

    Args:
        url: as in the setting `spool`.

    Raises:
        SpoolUnusable: it cannot be reached, or holds no spool of this version.
    """

    def __init__(self, url: str) -> None:
        self.path = Address.read(url)
        self._link = Link(self.path, patient=True)
        self._runner = asyncio.Runner()
        self._numbers: dict[str, int] = {}
        try:
            self.schema_version = self._version()
        except BaseException as error:
            self.close()
            if isinstance(error, SpoolError) and not isinstance(error, SpoolUnusable):
                raise SpoolUnusable(f"cannot be used: {error}") from error
            raise

    def _version(self) -> int:
        found = self._ask(schema.version)
        if not found:
            raise SpoolUnusable(f"{self.path}: there is no such spool")
        if found < schema.VERSION:
            raise SpoolUnusable(
                f"{self.path}: has schema version {found}, this program works with {schema.VERSION}; "
                "`dispatcher spool migrate` brings it there"
            )
        return found

    def __repr__(self) -> str:
        return f"<PostgresView {self.path}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back. Idempotent."""
        try:
            self._runner.run(self._link.close())
        finally:
            self._runner.close()

    def owner(self) -> int | None:
        """0: no node lives; None: some do, on whichever machine."""
        return None if self.nodes() else 0

    def nodes(self) -> list[NodeStats]:
        """The nodes that live."""
        return self._ask(nodes)

    def roster(self) -> Roster:
        """The nodes, what each tells of itself, and who assigns for which account."""
        return self._ask(roster)

    def accounts(self) -> dict[str, int]:
        """Number of each account by its name."""
        return {name: number for number, name in self._rows(SQL["all_accounts"])}

    def counts(self) -> dict[str, dict[State, int]]:
        """Rows per account and state, every state present."""
        names = {number: name for name, number in self.accounts().items()}
        counts = {name: dict.fromkeys(State, 0) for name in names.values()}
        for account, code, rows in self._rows(VIEW_SQL["tallied"]):
            counts[names[account]][STATES[code]] = rows
        return counts

    def oldest_waiting(self, account: str) -> float | None:
        """Unix time at which the oldest job of an account that is not settled was accepted; None when all are."""
        rows = self._rows(VIEW_SQL["oldest_waiting"], self._number(account))
        return float(rows[0][0]) if rows else None

    def stats(self) -> DatabaseStats:
        """How large the tables are."""
        return self._ask(stats)

    def sizes(self) -> dict[str, Any]:
        """The same by name, for printing, and who works on them."""
        size = self.stats()
        return {
            "table_bytes": size.table_bytes,
            "dead_bytes": size.dead_bytes,
            "nodes": [dataclasses.asdict(node) for node in self.nodes()],
            "outbox": {one.account: {"jobs": one.jobs, "oldest_waiting_s": one.oldest_s} for one in size.outbox},
        }

    def prunable(self, *, before: float) -> int:
        """How many settled rows without a change since `before` (Unix time) there are to prune."""
        return int(self._rows(VIEW_SQL["prunable_rows"], before)[0][0])

    def problems(self) -> list[str]:
        """Everything that is wrong, one problem a line; nothing: it is sound."""
        return self._ask(check.problems)

    def listed(
        self, account: str, chosen: Filter, *, limit: int, after: int = 0, before: int = LAST_SEQ
    ) -> list[Receipt]:
        """The latest rows of an account that pass a filter, the latest first; see `SpoolView.listed`."""
        seqs = self._seqs(account, chosen, after=after, before=before, limit=limit or LAST_SEQ, order="DESC")
        return self._receipts(account, seqs)[::-1]

    def stream(self, account: str, chosen: Filter) -> Iterator[tuple[Receipt, bytes]]:
        """Rows of an account that pass a filter with their bodies, in the order of acceptance, a page at a time."""
        after = 0
        while True:
            seqs = self._seqs(account, chosen, after=after, before=LAST_SEQ, limit=PAGE_ROWS, order="ASC")
            bodies = self.bodies(account, seqs)
            for receipt in self._receipts(account, seqs):
                if receipt.seq in bodies:  # pruned between the two reads otherwise
                    yield receipt, bodies[receipt.seq]
            if len(seqs) < PAGE_ROWS:
                return
            after = seqs[-1]

    def versions(self, account: str, key: str) -> list[Receipt]:
        """Every version of a key that is still here, oldest first."""
        return self._receipts(account, [row[0] for row in self._rows(VIEW_SQL["versions"], self._number(account), key)])

    def bodies(self, account: str, seqs: Sequence[int]) -> dict[int, bytes]:
        """The jobs as they were stored, by row."""
        number = self._number(account)
        return self._ask(lambda connection: reading.bodies(connection, number, seqs))

    def last_seq(self) -> int:
        """Number of the last row of all accounts, 0 when there is none."""
        return int(self._rows(VIEW_SQL["last_seq"])[0][0])

    def vacuum(self) -> None:
        """Clear dead rows away at once, so that their room is used again. Nobody waits for it."""

        async def clear(connection: Connection) -> None:
            for table in ("jobs", "contents", "tallies", "nodes", "outbox"):
                await connection.execute(f"VACUUM (ANALYZE) dispatcher.{table}")

        self._ask(clear)

    def _receipts(self, account: str, seqs: Sequence[int]) -> list[Receipt]:
        number = self._number(account)
        return self._ask(lambda connection: reading.receipts(connection, account, number, seqs))

    def _number(self, account: str) -> int:
        if account not in self._numbers:
            rows = self._rows(SQL["account_id"], account)
            if not rows:
                return 0  # no account has that number: nothing is found
            self._numbers[account] = int(rows[0][0])
        return self._numbers[account]

    def _seqs(self, account: str, chosen: Filter, *, after: int, before: int, limit: int, order: str) -> list[int]:
        rows = self._rows(
            VIEW_SQL["listed"].replace("/*order*/", order),
            self._number(account),
            reading.codes(chosen.states or State),
            after,
            before,
            list(chosen.keys) or None,
            chosen.worker,
            chosen.day,
            chosen.since,
            chosen.error,
            chosen.text,
            None if chosen.withdrawn else WITHDRAWN,
            chosen.newest,
            limit,
            None if State.CONFIRMED in (chosen.states or State) else reading.codes(chosen.states),
        )
        return [row[0] for row in rows]

    def _rows(self, sql: str, *values: object) -> list[Any]:
        async def fetch(connection: Connection) -> list[Any]:
            return await connection.fetch(sql, *values)

        return self._ask(fetch)

    def _ask(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        async def ask() -> T:
            async with self._link.use() as connection:
                return await question(connection)

        return self._runner.run(ask())
