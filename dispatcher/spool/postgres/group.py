"""What one transaction changes: known inside it at once, to the rest of the process only after its commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dispatcher.model.state import State
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

UNSETTLED = 4
"""The last unsettled state's number."""


@dataclass(slots=True)
class Group:
    """One attempt at a transaction.

    Attributes:
        node: fencing number of the node that writes.
        held: the node by which each row was claimed, as it was when the transaction began.
        sending: the same for rows that are being sent; those are no claims, and cannot be given back.
        claims: rows whose node this transaction changes; 0 for nobody.
        let_go: claims of the process that end with the commit.
        counts: change in the number of rows by account number and state number.
        accounts: accounts that this transaction has looked up or made.
    """

    node: int
    held: Mapping[int, int]
    sending: Mapping[int, int] = field(default_factory=dict)
    claims: dict[int, int] = field(default_factory=dict)
    let_go: dict[int, int] = field(default_factory=dict)
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    accounts: dict[str, int] = field(default_factory=dict)

    def claimed_as(self, seqs: Sequence[int]) -> list[int]:
        """The node as which each row was claimed, 0 where it was not."""
        claims, held, sending = self.claims, self.held, self.sending
        return [claims[seq] if seq in claims else held.get(seq) or sending.get(seq, 0) for seq in seqs]

    def moved(self, account: int, code: int, to: State, to_code: int, seqs: Sequence[int]) -> None:
        """Rows went from one state to another."""
        self.counts[account, code] -= len(seqs)
        self.counts[account, to_code] += len(seqs)
        self.claims.update(dict.fromkeys(seqs, self.node if to is State.SENDING else 0))

    def unsettled(self, account: int) -> int:
        """How many more unsettled rows an account has by this transaction."""
        return sum(rows for (number, code), rows in self.counts.items() if number == account and code <= UNSETTLED)

    async def count(self, connection: Connection) -> None:
        """Write the counters."""
        changed = sorted((place, rows) for place, rows in self.counts.items() if rows)
        if changed:
            accounts = [account for (account, _), _ in changed]
            codes = [code for (_, code), _ in changed]
            await connection.execute(SQL["count_moves"], self.node, accounts, codes, [rows for _, rows in changed])
