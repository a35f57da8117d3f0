"""Members as columns, and a calendar day of theirs as slots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_S, wall_clock, weekday
from engine.member import Member
from engine.settings import EngineSettings
from engine.sphere import set_place
from engine.state import Words

Floats = npt.NDArray[np.float64]

LAST_MOMENT = 253_402_000_000.0
"""Unix seconds just before the end of the calendar (year 9999)."""


class Traits:
    """Teams and skills as bits: a member's set, and the bits that a job asks for.

    Attributes:
        bits: ("team", number) or ("skill", folded name) to the number of its bit.
    """

    def __init__(self, members: Iterable[Member]) -> None:
        self.bits: dict[tuple[str, int | str], int] = {}
        for member in members:
            self.add(member)

    @property
    def words(self) -> int:
        """64-bit words that hold all bits, one at least."""
        return len(self.bits) // 64 + 1

    def add(self, member: Member) -> None:
        """Give every trait of a member a bit."""
        for name in _traits(member):
            self.bits.setdefault(name, len(self.bits))

    def of(self, member: Member) -> Words:
        """A member's set, (words,)."""
        row = np.zeros(self.words, dtype=np.uint64)
        for name in _traits(member):
            bit = self.bits[name]
            row[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
        return row

    def needed(self, team: int, skills: Sequence[str]) -> list[int]:
        """Bits that a job asks for, the team's first; the spare last bit, which nobody has, stands for what nobody has."""
        nobody = self.words * 64 - 1
        wanted: list[tuple[str, int | str]] = [("team", team)] if team else []
        wanted += [("skill", skill) for skill in skills]
        return [self.bits.get(name, nobody) for name in wanted]


def _traits(member: Member) -> list[tuple[str, int | str]]:
    return [("team", team) for team in sorted(member.teams)] + [("skill", skill) for skill in sorted(member.skills)]


class Fleet:
    """What the days are made of: one value per member, in input order.

    All arrays have the length `len(members)`; places are degrees with NaN for none; `shifts` is (members, 7, 2) in seconds with NaN for a
    day off.
    """

    def __init__(self, members: Sequence[Member], settings: EngineSettings) -> None:
        self.members = list(members)
        self.settings = settings
        self.zones: list[tzinfo] = []
        zones: dict[tzinfo, int] = {}
        count = len(self.members)
        self.zone = np.zeros(count, dtype=np.int64)
        self.shifts: Floats = np.full((count, 7, 2), np.nan)
        self.location: Floats = np.full((count, 2), np.nan)
        self.route_start: Floats = np.full((count, 2), np.nan)
        self.route_end: Floats = np.full((count, 2), np.nan)
        self.seen_s: Floats = np.zeros(count)
        self.until_s: Floats = np.zeros(count)
        self.departure_s: Floats = np.zeros(count)
        self.per_m: Floats = np.zeros(count)
        self.capacity: Floats = np.zeros(count)
        self.eligible = np.zeros(count, dtype=bool)
        self.off_duty = np.zeros(count, dtype=bool)
        for i, member in enumerate(self.members):
            if member.zone not in zones:
                zones[member.zone] = len(self.zones)
                self.zones.append(member.zone)
            self.zone[i] = zones[member.zone]
            self.put(i, member)

    def put(self, i: int, member: Member) -> None:
        """Write one member's columns (its zone stays a known one)."""
        self.members[i] = member
        self.zone[i] = self.zones.index(member.zone)
        for d, span in enumerate(member.week):
            self.shifts[i, d] = span or np.nan
        self.location[i] = member.location or np.nan
        self.route_start[i] = member.route_start or np.nan
        self.route_end[i] = member.route_end or np.nan
        self.seen_s[i] = member.seen_s
        self.until_s[i] = min(member.until_s, LAST_MOMENT)
        self.departure_s[i] = member.route_start_s
        self.per_m[i] = self.settings.circuity / (member.speed_kmh / 3.6)
        self.capacity[i] = member.capacity
        self.eligible[i] = member.eligible
        self.off_duty[i] = member.off_duty

    def clocks(self, now: float) -> tuple[npt.NDArray[np.int64], Floats]:
        """Each member's local day (ordinal) and seconds on its wall clock."""
        if not self.zones:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        read = [wall_clock(now, zone) for zone in self.zones]
        days = np.array([day for day, _ in read], dtype=np.int64)
        seconds = np.array([clock for _, clock in read])
        return days[self.zone], seconds[self.zone]

    def fill(self, slots: npt.NDArray[Any], day: int, now: float) -> None:
        """Write a calendar day (ordinal) into its slots, (members,): everything but the stops and what follows from them."""
        today, clock = self.clocks(now)
        is_today = today == day
        slots["past"] = day < today
        slots["today"] = is_today
        slots["eligible"] = self.eligible & ~(self.off_duty & is_today)
        reference = self._references(is_today, now)
        set_place(slots, "", reference[:, 0], reference[:, 1])
        slots["placed"] = ~np.isnan(reference[:, 0])
        set_place(slots, "e", self.route_end[:, 0], self.route_end[:, 1])
        slots["ended"] = ~np.isnan(self.route_end[:, 0])
        slots["per_m"] = self.per_m
        slots["capacity"] = self.capacity
        start, end = self.shifts[:, weekday(day), 0].copy(), self.shifts[:, weekday(day), 1].copy()
        for i in np.flatnonzero(is_today & (self.until_s > now)):
            until = self._on_clock(int(i), day)
            start[i] = np.fmin(start[i], clock[i])
            end[i] = np.fmax(end[i], max(until, clock[i]))
        begins = np.fmax(np.fmax(start, self.departure_s), 0.0)
        begins = np.where(is_today, np.maximum(begins, clock), begins)
        slots["start"] = begins
        slots["shift_end"] = np.where(np.isnan(end), 0.0, end)
        slots["on_shift"] = ~np.isnan(end) & (begins < end - 1e-6)
        slots["open"] = (slots["eligible"] & slots["placed"] & slots["on_shift"]) & (slots["past"] == 0)

    def _references(self, is_today: npt.NDArray[np.bool_], now: float) -> Floats:
        """Where each member's day starts, degrees, NaN for nowhere."""
        known = ~np.isnan(self.location[:, 0])
        age = now - self.seen_s
        fresh = is_today & known & (self.seen_s > 0) & (age <= self.settings.max_location_age_s + 1e-6)
        reference = np.where(fresh[:, None], self.location, self.route_start)
        if self.settings.stale_location == "use":
            missing = np.isnan(reference[:, 0])
            reference = np.where(missing[:, None], self.location, reference)
        return reference

    def _on_clock(self, i: int, day: int) -> float:
        """The end of "ignore working hours" on the wall clock of a day, seconds; it may lie past 24 h."""
        until_day, clock = wall_clock(self.until_s[i], self.members[i].zone)
        return (until_day - day) * DAY_S + clock
