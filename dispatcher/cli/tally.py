"""Which jobs of a file are settled, in a few bytes per job: a million-line file is counted in flat memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dispatcher.model.records import Accepted, Change
from dispatcher.model.state import State
from dispatcher.pipeline import RESTING

_STATES = tuple(State)
_CODE = {state: code for code, state in enumerate(_STATES, start=1)}


class FileTally:
    """Counts the jobs of one file by where their rows in the spool have got to, whichever run settled them.

    Rows are told apart by `seq`; one byte a row holds the last known state, 0 for rows that are none of the file's.
    A row that stands for several equal lines of the file counts once for each.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.fresh = 0
        self.counts: Counter[State] = Counter()
        self._base = -1
        self._state = bytearray()
        self._extra: Counter[int] = Counter()
        self._early: dict[int, State] = {}

    @property
    def open(self) -> int:
        """Jobs of the file that are neither settled nor held."""
        return self.accepted - sum(self.counts[state] for state in RESTING)

    def add(self, rows: Sequence[Accepted]) -> None:
        """Rows that the spool gave for jobs of the file."""
        for row in rows:
            self.accepted += 1
            self.fresh += row.fresh
            known = self._get(row.seq)
            if known is not None:
                self._extra[row.seq] += 1
                self.counts[known] += 1
                continue
            state = self._early.pop(row.seq, row.state)
            self._set(row.seq, state)
            self.counts[state] += 1

    def watch(self, change: Change) -> None:
        """A durable change of rows, the file's or not. Steps on the way are passed over: they would only cost time."""
        if change.to not in RESTING and not self.counts[State.HELD]:
            return
        for seq in change.seqs:
            if not self._move(seq, change.to) and (self._base < 0 or seq >= self._base + len(self._state)):
                self._early[seq] = change.to

    def unsettled(self, limit: int, *, after: int = -1) -> list[int]:
        """Up to `limit` rows of the file that are not through, with a higher `seq` than `after`."""
        resting = {_CODE[state] for state in RESTING} | {0}
        found: list[int] = []
        for offset in range(max(0, after + 1 - self._base), len(self._state)):
            if self._state[offset] not in resting:
                found.append(self._base + offset)
                if len(found) == limit:
                    break
        return found

    def correct(self, seq: int, state: State) -> None:
        """What the spool says of a row of the file."""
        self._move(seq, state)

    def _move(self, seq: int, to: State) -> bool:
        before = self._get(seq)
        if before is None:
            return False
        weight = 1 + self._extra[seq] if self._extra else 1
        self.counts[before] -= weight
        self.counts[to] += weight
        self._set(seq, to)
        return True

    def _get(self, seq: int) -> State | None:
        offset = seq - self._base
        if self._base < 0 or not 0 <= offset < len(self._state):
            return None
        code = self._state[offset]
        return _STATES[code - 1] if code else None

    def _set(self, seq: int, state: State) -> None:
        if self._base < 0:
            self._base = seq
        if seq < self._base:
            self._state[:0] = bytes(self._base - seq)
            self._base = seq
        offset = seq - self._base
        if offset >= len(self._state):
            self._state.extend(bytes(offset + 1 - len(self._state)))
        self._state[offset] = _CODE[state]
