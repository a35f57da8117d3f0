"""The days in play: rows of the state, made when first asked for, kept right while time goes on and members change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from engine.fleet import Fleet, Traits
from engine.index import enter, gather_all, plant, put_in, rebuild_slots, relocate, take_out, tick
from engine.job import Job
from engine.member import Member
from engine.planting import Planter
from engine.records import job_records
from engine.state import Ints, Records, State, new_state, with_capacity, with_pool, with_rows, with_words
from engine.twin import twin_of

SPREAD = 16
"""A tree is planted anew when one in so many of its members has left its branch."""


class Days:
    """The state of a fleet, day by day.

    Attributes:
        state: the flat arrays; replaced by larger ones when they are full.
        fleet: the members' columns.
        traits: teams and skills as bits.
        now: Unix seconds that the rows stand for.
        planter: makes the shape of trees.
        today: each member's local day (ordinal), (members,).
        rows: ordinal of a day to its row.
        day_of: the other way round.
    """

    def __init__(self, members: list[Member], fleet: Fleet, now: float, planter: Planter) -> None:
        self.fleet = fleet
        self.planter = planter
        self.traits = Traits(members)
        self.count = len(members)
        self.capacity = max(self.count, 1)
        self.state: State = new_state(self.capacity, self.traits.words, self.traits.planes)
        for i, member in enumerate(members):
            self.state.traits[i] = self.traits.of(member)
        self.now = now
        self.today, _ = fleet.clocks(now)
        self.rows: dict[int, int] = {}
        self.day_of: dict[int, int] = {}
        self._free_rows: list[int] = [0]
        self._waiting: dict[int, list[tuple[Job, int, int]]] = {}
        self._strayed: dict[int, int] = {}
        self._today_rows: Ints | None = None

    def copy(self) -> Days:
        """The same days in arrays of their own."""
        return twin_of(
            self,
            fleet=self.fleet.copy(),
            traits=self.traits.copy(),
            state=self.state._replace(**{name: array.copy() for name, array in self.state._asdict().items()}),
            rows=self.rows.copy(),
            day_of=self.day_of.copy(),
            _free_rows=self._free_rows.copy(),
            _waiting={day: stops.copy() for day, stops in self._waiting.items()},
            _strayed=self._strayed.copy(),
        )

    @property
    def first_today(self) -> int:
        """The earliest local day of any member (ordinal)."""
        return int(self.today.min())

    def today_rows(self) -> Ints:
        """Rows of all members' todays, one to three."""
        if self._today_rows is None:
            self._today_rows = np.array([self.row(int(day)) for day in np.unique(self.today)], dtype=np.int64)
        return self._today_rows

    def slot(self, day: int, member: int) -> int:
        """The slot of a member's day, made when it is not there yet."""
        return self.row(day) * self.capacity + member

    def row(self, day: int) -> int:
        """The row of a day (ordinal), made when it is not there yet."""
        row = self.rows.get(day)
        if row is not None:
            return row
        if not self._free_rows:
            have = len(self.state.trees)
            self.state = with_rows(self.state, 2 * have)
            self._free_rows = list(range(2 * have - 1, have - 1, -1))
        row = self.rows[day] = self._free_rows.pop()
        self.day_of[row] = day
        self._fill(day, everybody=True)
        waiting = sorted(
            self._waiting.pop(day, []), key=lambda stop: (stop[0].number, stop[0].scheduled, stop[0].created)
        )
        for stop, member, handle in waiting:
            self.enter(job_records([stop], handle), [row * self.capacity + member], behind_floor=False)
        return row

    def ready(self) -> None:
        """Before a search: plant the trees anew whose members have strayed too far."""
        for row, count in list(self._strayed.items()):
            if count * SPREAD > self.count:
                plant(self.state, row, self.count, self.planter)
                del self._strayed[row]

    def put(self, job: Job, member: int, day: int, handle: int) -> None:
        """A saved stop: into its day's route, or kept until somebody asks for that day."""
        row = self.rows.get(day)
        if row is None:
            self._waiting.setdefault(day, []).append((job, member, handle))
        else:
            self.enter(job_records([job], handle), [row * self.capacity + member], behind_floor=False)

    def enter(self, jobs: Records, slots: list[int], *, behind_floor: bool, position: int | None = None) -> None:
        """Put each job into its slot, at a position (behind the stop under way) or by the order of stops."""
        targets = np.array(slots, dtype=np.int64)
        which = np.arange(len(jobs), dtype=np.int64)
        at = -1 if position is None else max(position, 0)
        done = 0
        while (done := enter(self.state, jobs, which, targets, behind_floor, at, done)) < len(which):
            self.grow_pool()

    def stop(self, day: int, member: int, handle: int) -> Any:
        """A stop of a route, as a STOP record."""
        s = self.slot(day, member)
        slot = self.state.slots[s]
        route = self.state.stops[slot["offset"] : slot["offset"] + slot["n"]]
        return route[route["handle"] == handle][0]

    def grow_pool(self) -> None:
        """Twice as much room for stops."""
        self.state = with_pool(self.state, 2 * len(self.state.stops))

    def take_out(self, day: int, member: int, handle: int) -> int:
        """Remove a stop from its route; returns where it was, -1 when its day has no row yet."""
        row = self.rows.get(day)
        if row is None:
            self._waiting[day] = [stop for stop in self._waiting[day] if stop[2] != handle]
            return -1
        return int(take_out(self.state, row * self.capacity + member, handle))

    def put_back(self, stop: Records, slot: int, position: int) -> None:
        """Undo `take_out`; there is room for the stop, because it was there before."""
        put_in(self.state, slot, position, stop, 0)

    def advance(self, now: float) -> bool:
        """Let time go on (or back): days start later, locations age, days begin and pass.

        Returns:
            True when it is a new day for somebody.
        """
        if now == self.now:
            return False
        since, before, self.now = self.now, self.today, now
        self.today, clocks = self.fleet.clocks(now)
        new_day = not np.array_equal(before, self.today)
        if new_day or now < since or self.fleet.overrides(since):
            first = min(before.min(initial=0), self.today.min(initial=0))
            last = max(before.max(initial=0), self.today.max(initial=0))
            for day in self.rows:
                if first <= day <= last:
                    self._fill(day, everybody=False)
        else:
            for day in np.unique(self.today):
                if int(day) in self.rows:
                    tick(self.state, self.rows[int(day)], clocks)
            for i in self.fleet.expired(since, now):
                self.locate(i)
        if new_day:
            self._today_rows = None
        return new_day

    def close(self, days: Iterable[int]) -> None:
        """Give up the rows of days that are over; their stops must have been taken out."""
        for day in list(days):
            self._waiting.pop(day, None)
            if day in self.rows:
                row = self.rows.pop(day)
                del self.day_of[row]
                self._strayed.pop(row, None)
                self._free_rows.append(row)

    def known_days(self) -> set[int]:
        """Days with a row or with saved stops."""
        return {*self.rows, *self._waiting}

    def locate(self, i: int) -> None:
        """Bring the reference positions of a member up to date after its columns changed."""
        for day, row in self.rows.items():
            place = self.fleet.reference(i, day == self.today[i], self.now)
            if relocate(self.state, row * self.capacity + i, *place):
                self._strayed[row] = self._strayed.get(row, 0) + 1
            if self.state.rank[row * self.capacity + i] < 0 <= place[2]:
                self._strayed[row] = self.count + SPREAD

    def add_member(self, member: Member) -> None:
        """One more member, the last in input order."""
        if self.count == self.capacity:
            self.capacity += self.capacity // 4 + 8
            self.state = with_capacity(self.state, self.capacity)
            for row in self.rows.values():
                plant(self.state, row, self.count, self.planter)
        self.count += 1
        self.fleet.append(member)

    def refresh(self, members: Sequence[int]) -> None:
        """Bring everything of some members up to date after their columns changed: one tree a day, however many."""
        for i in members:
            self.traits.add(self.fleet.members[i])
        words, planes = self.traits.words, self.traits.planes
        if words > self.state.traits.shape[1] or planes > self.state.node_room.shape[1]:
            self.state = with_words(self.state, words, planes)
        for i in members:
            self.state.traits[i] = self.traits.of(self.fleet.members[i])
        self.today, _ = self.fleet.clocks(self.now)
        self._today_rows = None
        which = np.array(members, dtype=np.int64)
        for day, row in self.rows.items():
            chosen = row * self.capacity + which
            slots = self.state.slots[chosen]
            self.fleet.fill(slots, day, self.now, which)
            self.state.slots[chosen] = slots
            rebuild_slots(self.state, chosen)
            plant(self.state, row, self.count, self.planter)
            self._strayed.pop(row, None)

    def _fill(self, day: int, *, everybody: bool) -> None:
        """Write the columns of a day into its slots, and bring those that differ up to date, with the tree."""
        row = self.rows[day]
        begin = row * self.capacity
        slots = self.state.slots[begin : begin + self.count]
        fresh = slots.copy()
        self.fleet.fill(fresh, day, self.now)
        moved = (fresh["lat"] != slots["lat"]) | (fresh["lng"] != slots["lng"]) | (fresh["placed"] != slots["placed"])
        moved &= (fresh["placed"] | slots["placed"]) != 0
        changed = moved | everybody
        for name in ("start", "shift_end", "open", "eligible", "on_shift", "past", "today"):
            changed |= fresh[name] != slots[name]
        slots[:] = fresh
        which = np.flatnonzero(changed) + begin
        rebuild_slots(self.state, which)
        if everybody or moved.any():
            plant(self.state, row, self.count, self.planter)
        else:
            gather_all(self.state, row)
