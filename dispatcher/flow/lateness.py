"""Which requests arrive later than their slots allow for, for those who give slots to others.

A slot is followed by those of other processes, which know nothing of this one. So a request that is late has to be told
of in time: before the slot is given from which on it would stand in one window with too many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from dispatcher.flow.arrivals import late_cap_s
from dispatcher.flow.gcra import spacing
from dispatcher.flow.limits import Limit
from dispatcher.flow.round_trips import RoundTrips
from dispatcher.model.slots import Late

TELL_SHARE = 0.4
"""Of a window: until then it can wait for a question that is asked anyway,"""
TELL_AGAIN_S = 0.05
"""and what has changed since is told as often as that."""
_SAME_S = 1e-3


@dataclass(slots=True, eq=False)
class Slot:
    """A moment at which one request may be on the wire.

    Attributes:
        number: counted over all processes.
        opens: not before (s); the latest that its moment can be.
        moment: the earliest that its moment can be (s). Lateness is counted from there.
        closes: not after (s), unless it is known that nothing is broken by it.
        sent_at: when a request went onto the wire; not a number: none did yet.
        arrived_by: when that must have arrived; None while it is not answered.
        told: window → until when it is said to be late.
    """

    number: int
    opens: float
    moment: float
    closes: float
    sent_at: float = math.nan
    arrived_by: float | None = None
    told: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class _Window:
    """What lateness means for one limit (s)."""

    window_s: float
    jitter_s: float
    cap_s: float


class Lateness:
    """The requests of this process that may be late, and what of it others have been told.

    Args:
        limits: the account's.
    """

    __slots__ = ("_log", "_others_s", "_round_trips", "_told_at", "_windows")

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._log: dict[int, Slot] = {}
        self._round_trips = RoundTrips()
        self._others_s = 0.0
        self._told_at = float("-inf")
        self.change(limits)

    def change(self, limits: Iterable[Limit]) -> None:
        """Other limits from now on; they count anew from here."""
        self._windows = tuple(
            _Window(limit.window_s, spacing(limit).jitter_s, late_cap_s(limit.window_s)) for limit in limits
        )
        self._log.clear()

    @property
    def jitter_s(self) -> float:
        """A request that is no later than that need not be told of (s)."""
        return min((window.jitter_s for window in self._windows), default=float("inf"))

    @property
    def round_trip_s(self) -> float:
        """The shortest of this process (s), 0.0 while that is not known."""
        return self._round_trips.shortest_s

    def others(self, round_trip_s: float) -> None:
        """The shortest of any process (s), 0.0: not known. Who is farther from the server is late by that."""
        self._others_s = round_trip_s

    @property
    def _usual_s(self) -> float:
        own_s = self._round_trips.shortest_s
        return min(own_s, self._others_s) if own_s and self._others_s else max(own_s, self._others_s)

    def sent(self, slot: Slot, now: float) -> None:
        """A request goes onto the wire."""
        slot.sent_at = now
        if self._windows:
            self._log[slot.number] = slot

    def answered(self, slot: Slot, now: float) -> None:
        """It was answered, or given up."""
        if math.isnan(slot.sent_at):
            return
        slot.arrived_by = max(slot.sent_at, now - self._usual_s)
        self._round_trips.add(now - slot.sent_at)

    def untold(self, now: float) -> tuple[Late, ...]:
        """What is to be told now; `heard` says that it was. Forgets what is over."""
        late: list[Late] = []
        for slot in [*self._log.values()]:
            over = True
            for place, window in enumerate(self._windows):
                until = self._until(slot, now, window)
                if until - slot.moment > window.jitter_s and until > slot.told.get(place, -math.inf) + _SAME_S:
                    late.append(Late(place, slot.number, until - now))
                    over = False
                over = over and (slot.arrived_by is not None or now > slot.moment + window.window_s + window.cap_s)
            if over:
                del self._log[slot.number]
        return tuple(late)

    def heard(self, late: Iterable[Late], asked: float, slots: Iterable[Slot] = ()) -> None:
        """What was told in a question asked then has been heard; also of these slots, which are not on the wire yet."""
        self._told_at = asked
        more = {slot.number: slot for slot in slots}
        for one in late:
            slot = self._log.get(one.number) or more.get(one.number)
            if slot is not None:
                slot.told[one.window] = max(asked + one.until_s, slot.told.get(one.window, -math.inf))

    def tell_at(self, now: float) -> float | None:
        """When something has to be told without a question at hand (s); None: nothing that is on the wire is late."""
        moments = [
            self._tell_at(slot, now, place, window)
            for slot in self._log.values()
            for place, window in enumerate(self._windows)
        ]
        soonest = min((moment for moment in moments if moment is not None), default=None)
        return None if soonest is None else max(soonest, self._told_at + TELL_AGAIN_S)

    def _tell_at(self, slot: Slot, now: float, place: int, window: _Window) -> float | None:
        until = self._until(slot, now, window)
        told = max(slot.told.get(place, -math.inf), slot.moment + window.jitter_s)
        in_time = slot.moment + TELL_SHARE * window.window_s
        if until > told + _SAME_S:
            return in_time
        if slot.arrived_by is not None or told >= slot.sent_at + window.cap_s:
            return None
        return max(in_time, told + _SAME_S + self._usual_s)

    def _until(self, slot: Slot, now: float, window: _Window) -> float:
        """The latest that it has arrived, or will have, as far as is known now, at the end of the usual way."""
        by = now - self._usual_s if slot.arrived_by is None else slot.arrived_by
        return min(max(by, slot.sent_at), slot.sent_at + window.cap_s)
