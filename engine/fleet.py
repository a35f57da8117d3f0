"""Members as columns, and a calendar day of theirs as slots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.clock import DAY_S, wall_clock, weekday
from engine.member import Member
from engine.settings import EngineSettings
from engine.sphere import set_place
from engine.state import MOST_PLANES, Words
from engine.twin import twin_of

Floats = npt.NDArray[np.float64]

Ints = npt.NDArray[np.int64]

COLUMNS: Final = np.dtype(
    [
        # Shifts per weekday as (start, end), seconds, NaN for a day off; places as (lat, lng), degrees, NaN for none.
        ("week", "f8", (7, 2)), ("location", "f8", 2), ("route_start", "f8", 2), ("route_end", "f8", 2),
        # See Member; seconds per metre of travel; number of the zone.
        ("seen_s", "f8"), ("until_s", "f8"), ("departure_s", "f8"), ("per_m", "f8"), ("capacity", "f8"),
        ("zone", "i8"), ("eligible", "?"), ("off_duty", "?"),
    ]
)  # fmt: skip

EVERYBODY: Final = slice(None)

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

    def copy(self) -> Traits:
        """The same bits, to be added to apart."""
        return twin_of(self, bits=self.bits.copy())

    @property
    def words(self) -> int:
        """64-bit words that hold all bits, one at least."""
        return len(self.bits) // 64 + 1

    @property
    def planes(self) -> int:
        """Planes of `State.node_room`."""
        return min(1 + len(self.bits), MOST_PLANES)

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
        """Bits that a job asks for, the team's first; the last bit, which is nobody's, stands for what nobody has."""
        nobody = self.words * 64 - 1
        wanted: list[tuple[str, int | str]] = [("team", team)] if team else []
        wanted += [("skill", skill) for skill in skills]
        return [self.bits.get(name, nobody) for name in wanted]


def _traits(member: Member) -> list[tuple[str, int | str]]:
    return [("team", team) for team in sorted(member.teams)] + [("skill", skill) for skill in sorted(member.skills)]


class Fleet:
    """What the days are made of: one row of columns per member, in input order.

    Attributes:
        members: as read.
        table: COLUMNS, (members,).
    """

    def __init__(self, members: Sequence[Member], settings: EngineSettings) -> None:
        self.settings = settings
        self.members: list[Member] = []
        self.table = np.zeros(len(members), dtype=COLUMNS)
        self._zones: list[tzinfo] = []
        self._zone_numbers: dict[tzinfo, int] = {}
        for i, member in enumerate(members):
            self.members.append(member)
            self.put(i, member)

    def copy(self) -> Fleet:
        """The same members in columns of their own."""
        return twin_of(
            self,
            members=self.members.copy(),
            table=self.table.copy(),
            _zones=self._zones.copy(),
            _zone_numbers=self._zone_numbers.copy(),
        )

    def append(self, member: Member) -> None:
        """One more member."""
        self.members.append(member)
        self.table = np.concatenate([self.table, np.zeros(1, dtype=COLUMNS)])
        self.put(len(self.members) - 1, member)

    def put(self, i: int, member: Member) -> None:
        """Write one member's columns."""
        self.members[i] = member
        number = self._zone_numbers.setdefault(member.zone, len(self._zones))
        if number == len(self._zones):
            self._zones.append(member.zone)
        nowhere = (np.nan, np.nan)
        self.table[i] = (
            [span or nowhere for span in member.week],
            member.location or nowhere,
            member.route_start or nowhere,
            member.route_end or nowhere,
            member.seen_s,
            min(member.until_s, LAST_MOMENT),
            member.route_start_s,
            self.settings.circuity / (member.speed_kmh / 3.6),
            member.capacity,
            number,
            not member.barred,
            member.off_duty,
        )

    def clocks(self, now: float, which: Ints | slice = EVERYBODY) -> tuple[Ints, Floats]:
        """Each member's local day (ordinal) and seconds on its wall clock."""
        zone = self.table["zone"][which]
        read = [wall_clock(now, zone) for zone in self._zones] or [(0, 0.0)]
        days = np.array([day for day, _ in read], dtype=np.int64)
        seconds = np.array([clock for _, clock in read])
        return days[zone], seconds[zone]

    def fill(self, slots: npt.NDArray[Any], day: int, now: float, which: Ints | slice = EVERYBODY) -> None:
        """Write a day (ordinal) of some members into their slots: all but the stops and what follows from them."""
        table = self.table[which]
        today, clock = self.clocks(now, which)
        is_today = today == day
        slots["past"] = day < today
        slots["today"] = is_today
        slots["eligible"] = table["eligible"] & ~(table["off_duty"] & is_today)
        reference = self._references(table, is_today, now)
        set_place(slots, "", reference[:, 0], reference[:, 1])
        slots["placed"] = ~np.isnan(reference[:, 0])
        set_place(slots, "e", table["route_end"][:, 0], table["route_end"][:, 1])
        slots["ended"] = ~np.isnan(table["route_end"][:, 0])
        slots["per_m"] = table["per_m"]
        slots["capacity"] = table["capacity"]
        start, end = table["week"][:, weekday(day), 0].copy(), table["week"][:, weekday(day), 1].copy()
        for k in np.flatnonzero(is_today & (table["until_s"] > now)):
            until = self._on_clock(float(table["until_s"][k]), self._zones[table["zone"][k]], day)
            start[k] = np.fmin(start[k], clock[k])
            end[k] = np.fmax(end[k], max(until, clock[k]))
        begins = np.fmax(np.fmax(start, table["departure_s"]), 0.0)
        slots["begin"] = begins
        begins = np.where(is_today, np.maximum(begins, clock), begins)
        slots["start"] = begins
        slots["shift_end"] = np.where(np.isnan(end), 0.0, end)
        slots["on_shift"] = ~np.isnan(end) & (begins < end - 1e-6)
        slots["open"] = (slots["eligible"] & slots["placed"] & slots["on_shift"]) & (slots["past"] == 0)

    def reference(self, i: int, is_today: bool, now: float) -> tuple[float, float, int]:
        """One member's reference position in radians, and 1; (0, 0, -1) when there is none."""
        place = self._references(self.table[i : i + 1], np.array([is_today]), now)[0]
        if np.isnan(place[0]):
            return 0.0, 0.0, -1
        return float(np.radians(place[0])), float(np.radians(place[1])), 1

    def expired(self, since: float, now: float) -> list[int]:
        """Members whose live location was fresh at `since` and is too old at `now`."""
        fresh_until = self.table["seen_s"] + (self.settings.max_location_age_s + 1e-6)
        return [int(i) for i in np.flatnonzero((fresh_until >= since) & (fresh_until < now))]

    def overrides(self, since: float) -> bool:
        """Somebody's working hours are ignored at a moment from `since` on."""
        return bool((self.table["until_s"] > since).any())

    def _references(self, table: npt.NDArray[Any], is_today: npt.NDArray[np.bool_], now: float) -> Floats:
        """Where each member's day starts, degrees, NaN for nowhere, (members, 2)."""
        location, seen = table["location"], table["seen_s"]
        fresh = is_today & (seen > 0) & (now - seen <= self.settings.max_location_age_s + 1e-6)
        fresh &= ~np.isnan(location[:, 0])
        reference = np.where(fresh[:, None], location, table["route_start"])
        if self.settings.stale_location == "use":
            reference = np.where(np.isnan(reference[:, :1]), location, reference)
        return reference

    @staticmethod
    def _on_clock(until_s: float, zone: tzinfo, day: int) -> float:
        """The end of "ignore working hours" on the wall clock of a day, seconds; it may lie past 24 h."""
        until_day, clock = wall_clock(until_s, zone)
        return (until_day - day) * DAY_S + clock
