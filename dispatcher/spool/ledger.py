"""What the writer knows without asking the file, and what a commit means for those who wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dispatcher.model.state import State


@dataclass(slots=True)
class Ledger:
    """The writer's memory of the file. A group of operations works on a copy, which replaces it after the commit.

    Attributes:
        accounts: number by name.
        next_seq: number of the next row.
        unsettled: rows in an unsettled state by account number.
        blocked: False when no version waits for an older one.
    """

    accounts: dict[str, int]
    next_seq: int
    unsettled: Counter[int]
    blocked: bool

    def copy(self) -> Ledger:
        """A copy that can be thrown away."""
        return replace(self, accounts=dict(self.accounts), unsettled=Counter(self.unsettled))


@dataclass(slots=True, frozen=True)
class Moved:
    """Rows of one account that went to a state: `due` when nothing keeps them from being claimed there at once."""

    account: int
    seqs: Sequence[int]
    to: State
    due: bool


@dataclass(slots=True)
class Effects:
    """What one commit changed, for the memory of the spool's loop side.

    Attributes:
        accounts: new accounts, number by name.
        counts: change in the number of rows by account number and state number.
        moved: rows moved, in order.
        freed: rows whose older versions have all settled: account number, state, seq.
    """

    accounts: dict[str, int] = field(default_factory=dict)
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    moved: list[Moved] = field(default_factory=list)
    freed: list[tuple[int, State, int]] = field(default_factory=list)
