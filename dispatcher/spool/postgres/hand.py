"""What this node has in hand: rows that name it in the database, and those of them that nobody here works on yet.

A row that this node has just written goes on to its own next stage without another look into the database: the write
itself names the node as its owner, and the row waits on a shelf until it is asked for. None is put there while older
ones wait in the database. Beside other nodes so many may wait as are likely to be asked for within a second; what is
not asked for in time is given back, so that they get their share.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from dispatcher.model.records import SpooledJob
from dispatcher.spool.encoding import CODE

KEPT_S = 0.2
"""How long a row waits on a shelf that nobody takes from, in seconds."""
SOON_S = 1.0
"""What was taken in so long is likely to be taken in so long again, in seconds."""
MOST_ROWS = 20_000
"""On one shelf of a node that is alone."""
MOST_BYTES = 32 << 20
"""Of bodies on one shelf."""


class Hold(msgspec.Struct, frozen=True, gc=False):
    """A row that names a node.

    Attributes:
        node: fencing number that the row names. Once that node has ended, the hold is worth nothing.
        account: number.
        code: the row's state as this node knows it; another's withdrawal may have changed it.
        job: as it was claimed; None while it is being sent.
    """

    node: int
    account: int
    code: int
    job: SpooledJob | None = None


@dataclass(slots=True)
class _Shelf:
    """Rows of one account and state that wait to be asked for.

    Attributes:
        jobs: by row.
        size: bytes of their bodies.
        most: rows that may wait here.
        more: older ones wait in the database.
        since: monotonic time at which the last ones were taken, or the first were put here.
        counted_from: monotonic time from which `taken` counts.
        taken: rows that were taken since then.
        usual: rows that were taken in the `SOON_S` before.
    """

    jobs: dict[int, SpooledJob] = field(default_factory=dict)
    size: int = 0
    most: int = 0
    more: bool = False
    since: float = 0.0
    counted_from: float = 0.0
    taken: int = 0
    usual: int = 0

    @property
    def room(self) -> int:
        """How many more rows may wait here."""
        return 0 if self.more or self.size >= MOST_BYTES else self.most - len(self.jobs)

    def put(self, job: SpooledJob, now: float) -> None:
        """Lay a row down."""
        if not self.jobs:
            self.since = now
        self.jobs[job.seq] = job
        self.size += len(job.body)

    def pop(self, seq: int) -> SpooledJob | None:
        """Take a row up; None: it is not here."""
        job = self.jobs.pop(seq, None)
        if job is not None:
            self.size -= len(job.body)
        return job

    def asked(self, rows: int, *, limit: int, more: bool, alone: bool, now: float) -> None:
        """Rows were taken, `limit` were asked for: how many may wait from now on."""
        if now - self.counted_from >= SOON_S:
            self.usual = self.taken if now - self.counted_from < 2 * SOON_S else 0
            self.taken, self.counted_from = 0, now
        self.taken += rows
        self.since = now
        self.more = more
        self.most = max(limit, MOST_ROWS if alone else 0, self.usual, self.taken)


class Hand:
    """Everything in hand. Changed by what was committed, by claims and by what is given back; never by intentions.

    Args:
        alone: whether no other node lives; then nobody else waits for what is kept here.
    """

    __slots__ = ("_alone", "_holds", "_shelves")

    def __init__(self, alone: Callable[[], bool] = lambda: False) -> None:
        self._alone = alone
        self._holds: dict[int, Hold] = {}
        self._shelves: dict[tuple[int, int], _Shelf] = {}

    def __len__(self) -> int:
        return len(self._holds)

    def __repr__(self) -> str:
        shelved = sum(len(shelf.jobs) for shelf in self._shelves.values())
        return f"<Hand {len(self._holds)} rows, {shelved} of them wait>"

    @property
    def rows(self) -> Collection[int]:
        """All of them."""
        return self._holds.keys()

    def get(self, seq: int) -> Hold | None:
        """How a row is held; None: it is not."""
        return self._holds.get(seq)

    def room(self, account: int, code: int) -> int:
        """How many more rows of a state may wait here."""
        shelf = self._shelves.get((account, code))
        return shelf.room if shelf else 0

    def let_go(self, seqs: Collection[int]) -> list[tuple[int, Hold, bool]]:
        """Forget rows that a commit gives up, before it; those that were held, how, and whether they waited."""
        gone = []
        for seq in seqs:
            hold = self._holds.pop(seq, None)
            if hold is not None:
                gone.append((seq, hold, self._shelf(hold).pop(seq) is not None))
        return gone

    def take_back(self, gone: Sequence[tuple[int, Hold, bool]], *, now: float = 0.0) -> None:
        """The commit did not come about."""
        for seq, hold, waited in gone:
            self._holds[seq] = hold
            if waited and hold.job is not None:
                self._shelf(hold).put(hold.job, now)

    def keep(self, holds: Mapping[int, Hold | None], waiting: Collection[int], *, now: float) -> None:
        """Take over what was committed.

        Args:
            holds: rows that were written, and how they are held now; None: they are not, see `let_go`.
            waiting: those of them that wait to be asked for.
            now: monotonic time.
        """
        for seq, hold in holds.items():
            if hold is not None:
                self.drop(seq)
                self._holds[seq] = hold
                if hold.job is not None and seq in waiting:
                    self._shelf(hold).put(hold.job, now)

    def drop(self, seq: int) -> Hold | None:
        """Let a row go; how it was held."""
        hold = self._holds.pop(seq, None)
        if hold is not None and (shelf := self._shelves.get((hold.account, hold.code))) is not None:
            shelf.pop(seq)
        return hold

    def claimed(self, node: int, account: int, jobs: Sequence[SpooledJob], *, now: float) -> None:
        """Rows that a claim has brought: they wait until they are taken."""
        for job in jobs:
            hold = self._holds[job.seq] = Hold(node, account, CODE[job.state], job)
            self._shelf(hold).put(job, now)

    def take(self, account: int, codes: Sequence[int], *, limit: int, more: bool, now: float) -> list[SpooledJob]:
        """Take rows in one of some states off their shelves, oldest first.

        Args:
            account: number.
            codes: states, each once.
            limit: at most so many rows.
            more: whether the database has more of them. Then newer ones take their place in its queue.
            now: monotonic time.
        """
        shelves = {code: self._shelves.setdefault((account, code), _Shelf()) for code in codes}
        oldest = sorted(seq for shelf in shelves.values() for seq in shelf.jobs)[:limit]
        places = [shelves[self._holds[seq].code] for seq in oldest]
        taken = [job for seq, shelf in zip(oldest, places, strict=True) if (job := shelf.pop(seq)) is not None]
        for shelf in shelves.values():
            shelf.asked(len(taken), limit=limit, more=more, alone=self._alone(), now=now)
        return taken

    def left(self, *, now: float) -> dict[int, list[int]]:
        """Rows that nobody has asked for in time, and more than may wait, by the node that they name: others want them.

        They are not held any longer.
        """
        found: dict[int, list[int]] = {}
        for shelf in () if self._alone() else self._shelves.values():
            late = bool(shelf.jobs) and now - shelf.since >= KEPT_S
            for seq in sorted(shelf.jobs)[0 if late else shelf.most :]:
                found.setdefault(self._holds[seq].node, []).append(seq)
                self.drop(seq)
            if late:
                shelf.most = 0
        return found

    def lost(self) -> None:
        """The node was ended: what waits is not its own any more."""
        for shelf in self._shelves.values():
            for seq in tuple(shelf.jobs):
                self.drop(seq)

    def _shelf(self, hold: Hold) -> _Shelf:
        place = hold.account, hold.code
        shelf = self._shelves.get(place)
        if shelf is None:
            shelf = self._shelves[place] = _Shelf()
        return shelf
