"""The row of shared limits as `limits.sql` keeps it, written a second time: what the tests of the pure part ask."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dispatcher.model.slots import SlotAnswer, SlotAsk, SlotWindow

UNNAMED_S = 60.0
REMEMBERED_S = 60.0
BUCKETS = 8


@dataclass
class Floor:
    """Slots from a number on lie no earlier than that."""

    due: int
    at: float


@dataclass
class Window:
    """GCRA's state of one limit."""

    limit: SlotWindow
    tat: float
    named_at: float
    floors: list[Floor] = field(default_factory=list)


@dataclass
class Contact:
    """What a node may do by itself."""

    lease_s: float
    quiet_s: float
    settle_s: float
    share: float
    offered: float
    heard_at: float
    told_at: float
    back_at: float = -math.inf

    def silent(self, now: float) -> bool:
        return self.heard_at + self.quiet_s < now


class LimitsRow:
    """One account's row, on the clock that is handed in."""

    def __init__(self) -> None:
        self.given = 0
        self.seen_at = 0.0
        self.blocked_until = 0.0
        self.round_trip_s = 0.0
        self.round_trip_at = 0.0
        self.windows: list[Window] = []
        self.contacts: dict[int, Contact] = {}

    def ask(self, question: SlotAsk, *, asked: float, clock: float) -> SlotAnswer:
        """Answer a question that came in at `asked` and is answered at `clock`."""
        self._move_back(clock)
        self.seen_at = clock
        if question.blocked_s:
            self.blocked_until = max(self.blocked_until, asked + question.blocked_s)
        trip_s = question.round_trip_s
        old = self.round_trip_at + REMEMBERED_S < clock
        if trip_s and (not self.round_trip_s or trip_s <= self.round_trip_s or old):
            self.round_trip_s, self.round_trip_at = trip_s, clock
        self._name(question.windows, clock)
        shares = [self._away(window.limit, clock) for window in self.windows]
        self._late(question, shares, asked)
        first, wait_s = self.given, 0.0
        slots: list[float] = []
        blocked_s = max(0.0, self.blocked_until - clock)
        while not blocked_s:
            slot = self._next(clock + question.lead_s)
            if any(share >= window.limit.count for share, window in zip(shares, self.windows, strict=True)):
                slot = max(slot, clock + question.ahead_s + 1.0)
            wait_s = slot - clock
            if len(slots) >= question.want or wait_s > question.ahead_s:
                break
            for share, window in zip(shares, self.windows, strict=True):
                count = window.limit.count
                window.tat = max(slot, window.tat) + window.limit.interval_s * count / (count - share)
            slots.append(wait_s)
            self.given += 1
        return SlotAnswer(
            clock=clock,
            first=first,
            slots=tuple(slots),
            given=self.given,
            wait_s=wait_s,
            blocked_s=blocked_s,
            round_trip_s=self.round_trip_s,
            reserved=any(shares),
        )

    def contact(
        self, node: int, *, lease_s: float, quiet_s: float, settle_s: float, heard: float, clock: float
    ) -> float:
        """A node tells what it has heard; the share of every limit that it may use when it hears nothing any more."""
        mine = self.contacts.get(node)
        others = [
            one
            for key, one in self.contacts.items()
            if key != node and one.told_at + one.lease_s + one.settle_s > clock
        ]
        promised = sum(one.share for one in others)
        share = max(0.0, min(1.0 / max(len(others) + 1, 2), 1.0 - promised))
        if mine is None:
            self.contacts[node] = Contact(lease_s, quiet_s, settle_s, share, share, clock, clock)
            return share
        was_silent = mine.silent(clock)
        held = mine.offered if heard >= mine.told_at else mine.share
        mine.heard_at = max(mine.heard_at, heard)
        mine.told_at = clock
        mine.share, mine.offered = max(share, held), share
        if mine.silent(clock):
            mine.back_at = math.inf
        elif was_silent or mine.back_at == math.inf:
            mine.back_at = clock
        return share

    def _move_back(self, clock: float) -> None:
        step = max(0.0, self.seen_at - clock)
        self.blocked_until -= step
        self.round_trip_at -= step
        for window in self.windows:
            window.tat -= step
            window.named_at -= step
            for floor in window.floors:
                floor.at -= step

    def _name(self, named: tuple[SlotWindow, ...], clock: float) -> None:
        by_length = {limit.window_s: limit for limit in named}
        for window in self.windows:
            if window.limit.window_s in by_length:
                window.limit = by_length.pop(window.limit.window_s)
                window.named_at = clock
        self.windows = [one for one in self.windows if one.named_at + max(one.limit.window_s, UNNAMED_S) > clock]
        self.windows += [Window(limit, clock + limit.burst_s + limit.interval_s, clock) for limit in by_length.values()]

    def _late(self, question: SlotAsk, shares: list[int], asked: float) -> None:
        for late in question.late:
            for share, window in zip(shares, self.windows, strict=True):
                limit = window.limit
                if limit.window_s != question.windows[late.window].window_s:
                    continue
                due = max(self.given, late.number + limit.count - share)
                floor = asked + late.until_s + limit.window_s
                size = -(-limit.count // BUCKETS)
                near = [one for one in window.floors if one.due // size == due // size]
                if near:
                    lowest = min(near[-1].due, due)
                    near[-1].at = max(
                        near[-1].at - (near[-1].due - lowest) * limit.interval_s,
                        floor - (due - lowest) * limit.interval_s,
                    )
                    near[-1].due = lowest
                else:
                    window.floors.append(Floor(due, floor))

    def _next(self, slot: float) -> float:
        for window in self.windows:
            for floor in [one for one in window.floors if one.due <= self.given]:
                window.floors.remove(floor)
                at = floor.at + (self.given - floor.due) * window.limit.interval_s
                window.tat = max(window.tat, at + window.limit.burst_s)
            slot = max(slot, window.tat - window.limit.burst_s)
        return slot

    def _away(self, limit: SlotWindow, clock: float) -> int:
        return sum(
            math.floor(limit.count * one.share)
            for one in self.contacts.values()
            if one.quiet_s + limit.window_s + one.settle_s < one.lease_s
            and clock < one.told_at + one.lease_s + limit.window_s + one.settle_s
            and (one.silent(clock) or clock < one.back_at + limit.window_s + one.settle_s)
        )
