"""What one transaction changes: known inside it at once, to the rest of the process only after its commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dispatcher.model.records import SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.encoding import CODE
from dispatcher.spool.postgres.hand import Hand, Hold
from dispatcher.spool.postgres.statements import SQL, with_numbers

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

UNSETTLED = 4
"""The last unsettled state's number."""
_SENDING = CODE[State.SENDING]


@dataclass(slots=True)
class Group:
    """One attempt at a transaction.

    Attributes:
        node: fencing number of the node that writes.
        hand: what the node had in hand when the transaction began; other rows may come and go meanwhile.
        careful: look at every row, because the transaction has met one that was not as this node knew it.
        holds: how rows that this transaction has written are held; None: they are not.
        waiting: those of them that wait in this node for their next stage.
        let_go: rows that were in hand until the commit began; see `Hand.let_go`.
        counts: change in the number of rows by account number and state number.
        accounts: accounts that this transaction has looked up or made.
    """

    node: int
    hand: Hand = field(default_factory=Hand)
    careful: bool = False
    holds: dict[int, Hold | None] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    let_go: list[tuple[int, Hold, bool]] = field(default_factory=list)
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    accounts: dict[str, int] = field(default_factory=dict)
    _taken: Counter[tuple[int, int]] = field(default_factory=Counter)

    def hold(self, seq: int) -> Hold | None:
        """How a row is held, inside the transaction."""
        return self.holds[seq] if seq in self.holds else self.hand.get(seq)

    def place(self, seqs: Sequence[int], codes: Collection[int]) -> tuple[int, int] | None:
        """Account and state of rows that this node holds, where all have the same and the state is one of `codes`."""
        first = None if self.careful or not seqs else self.hold(seqs[0])
        if first is None or first.node != self.node or first.code not in codes:
            return None
        node, account, code = first.node, first.account, first.code
        for seq in seqs:
            hold = self.hold(seq)
            if hold is None or hold.code != code or hold.account != account or hold.node != node:
                return None
        return account, code

    def room(self, account: int, code: int) -> int:
        """How many more rows may wait here for the stage that takes this state."""
        return self.hand.room(account, code) - self._taken[account, code]

    def wait(self, account: int, code: int, jobs: Sequence[SpooledJob]) -> None:
        """Rows were written with this node as their owner, for its own next stage."""
        node = self.node
        self.holds.update({job.seq: Hold(node, account, code, job) for job in jobs})
        self.waiting.update(job.seq for job in jobs)
        self._taken[account, code] += len(jobs)

    def moved(self, account: int, code: int, to_code: int, seqs: Sequence[int]) -> None:
        """Rows went from one state to another, and are not held but for being sent."""
        self.counts[account, code] -= len(seqs)
        self.counts[account, to_code] += len(seqs)
        hold = Hold(self.node, account, to_code) if to_code == _SENDING else None
        self.holds.update(dict.fromkeys(seqs, hold))
        self.waiting.difference_update(seqs)

    def unsettled(self, account: int) -> int:
        """How many more unsettled rows an account has by this transaction."""
        return sum(rows for (number, code), rows in self.counts.items() if number == account and code <= UNSETTLED)

    def counting(self) -> str:
        """The statement that writes the counters; "" when none has changed."""
        changed = sorted((place, rows) for place, rows in self.counts.items() if rows)
        if not changed:
            return ""
        accounts = [account for (account, _), _ in changed]
        codes = [code for (_, code), _ in changed]
        return with_numbers(SQL["count_moves"], self.node, accounts, codes, [rows for _, rows in changed])

    async def count(self, connection: Connection) -> None:
        """Write the counters."""
        sql = self.counting()
        if sql:
            await connection.execute(sql)
