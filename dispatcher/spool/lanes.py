"""Who holds which row, and from where on to look for the next: the memory behind `claim`.

The spool has one owner process, so claims need not be written: they end with it, as they should.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dispatcher.model.state import State


class Lane:
    """The rows of one account in one state.

    Attributes:
        account: number of the account.
        state: the state.
        floor: every row up to here that never waited and is not blocked is claimed; so the search begins above it
            and does not meet the same claimed rows again and again.
        dip: how far down `floor` was pulled since the search that is under way began; None: it was not.
    """

    __slots__ = ("account", "dip", "floor", "state")

    def __init__(self, account: int, state: State) -> None:
        self.account = account
        self.state = state
        self.floor = 0
        self.dip: int | None = None

    def __repr__(self) -> str:
        return f"<Lane account={self.account} {self.state} floor={self.floor}>"

    def lower(self, seq: int) -> None:
        """Row `seq` can be claimed again."""
        self.floor = min(self.floor, seq - 1)
        self.dip = self.floor if self.dip is None else min(self.dip, self.floor)

    def search_begins(self) -> None:
        self.dip = None

    def search_ends(self, examined: int) -> None:
        """All up to `examined` is claimed, but for what came back while the search was under way."""
        self.floor = examined if self.dip is None else min(examined, self.dip)


class Claims:
    """All claims and lanes.

    Attributes:
        held: lane by claimed row.
    """

    __slots__ = ("_lanes", "_sending", "_watchers", "held")

    def __init__(self) -> None:
        self.held: dict[int, Lane] = {}
        self._lanes: dict[tuple[int, State], Lane] = {}
        self._sending: dict[int, int] = {}
        self._watchers: list[set[int]] = []

    def lane(self, account: int, state: State) -> Lane:
        """The lane of an account and state."""
        lane = self._lanes.get((account, state))
        if lane is None:
            lane = self._lanes[account, state] = Lane(account, state)
        return lane

    def home(self, seqs: Sequence[int]) -> int | None:
        """Number of the account that all these rows belong to, if it is remembered: for claimed and sending rows."""
        homes = set()
        for seq in seqs:
            lane = self.held.get(seq)
            homes.add(lane.account if lane is not None else self._sending.get(seq))
        return homes.pop() if len(homes) == 1 else None

    def watch(self) -> set[int]:
        """A set that collects every row that moves from now on, until `unwatch`."""
        moved: set[int] = set()
        self._watchers.append(moved)
        return moved

    def unwatch(self, moved: set[int]) -> None:
        self._watchers = [watcher for watcher in self._watchers if watcher is not moved]

    def take(self, lane: Lane, seq: int) -> None:
        """Row `seq` of the lane is claimed."""
        self.held[seq] = lane

    def release(self, seqs: Iterable[int]) -> None:
        """These rows go back; those that nobody holds are passed over."""
        for seq in seqs:
            lane = self.held.pop(seq, None)
            if lane is not None:
                lane.lower(seq)

    def moved(self, account: int, seqs: Sequence[int], to: State, *, due: bool) -> None:
        """Rows of an account went to a state: their claims end."""
        for seq in seqs:
            self.held.pop(seq, None)
            self._sending.pop(seq, None)
        if to is State.SENDING:
            self._sending.update(dict.fromkeys(seqs, account))
        if due and seqs:
            self.lane(account, to).lower(min(seqs))
        for watcher in self._watchers:
            watcher.update(seqs)
