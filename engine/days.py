"""The days in play: rows of the state, made when they are first asked for, with the saved stops that wait for them."""

from __future__ import annotations

import numpy as np

from engine.fleet import Fleet, Traits
from engine.index import enter, plant, rebuild_slots, take_out
from engine.job import Job
from engine.sphere import set_place
from engine.state import JOB, Ints, Records, State, new_state, with_pool, with_rows


class Days:
    """The state of a fleet, day by day.

    Attributes:
        state: the flat arrays; replaced by larger ones when they are full.
        now: Unix seconds that the rows stand for.
        today: each member's local day (ordinal), (members,).
    """

    def __init__(self, fleet: Fleet, traits: Traits, now: float) -> None:
        self.fleet = fleet
        self.traits = traits
        self.count = len(fleet.members)
        self.capacity = max(self.count, 1)
        self.state: State = new_state(self.capacity, traits.words)
        for i, member in enumerate(fleet.members):
            self.state.traits[i] = traits.of(member)
        self.rows: dict[int, int] = {}
        self._waiting: dict[int, list[tuple[Job, int, int]]] = {}
        self.now = now
        self.today, _ = fleet.clocks(now)

    def first_today(self) -> int:
        """The earliest local day of any member (ordinal)."""
        return int(self.today.min())

    def today_rows(self) -> Ints:
        """Rows of all members' todays, one to three."""
        return np.array([self.row(int(day)) for day in np.unique(self.today)], dtype=np.int64)

    def slot(self, day: int, member: int) -> int:
        """The slot of a member's day, made when it is not there yet."""
        return self.row(day) * self.capacity + member

    def row(self, day: int) -> int:
        """The row of a day (ordinal), made when it is not there yet."""
        row = self.rows.get(day)
        if row is None:
            row = len(self.rows)
            if row == len(self.state.trees):
                self.state = with_rows(self.state, 2 * row)
            self.rows[day] = row
            self._fill(day)
            waiting = self._waiting.pop(day, [])
            if waiting:
                waiting.sort(key=lambda stop: (stop[0].number, stop[0].scheduled, stop[0].created))
                self.enter(
                    job_records([job for job, _, _ in waiting], [handle for _, _, handle in waiting]),
                    np.array([row * self.capacity + member for _, member, _ in waiting], dtype=np.int64),
                    behind_floor=False,
                )
        return row

    def put(self, job: Job, member: int, day: int, handle: int) -> None:
        """A saved stop: into its day's route, or kept until somebody asks for that day."""
        row = self.rows.get(day)
        if row is None:
            self._waiting.setdefault(day, []).append((job, member, handle))
        else:
            slots = np.array([row * self.capacity + member], dtype=np.int64)
            self.enter(job_records([job], [handle]), slots, behind_floor=False)

    def enter(self, jobs: Records, slots: Ints, *, behind_floor: bool) -> None:
        """Put each job into its slot by the order of stops."""
        which = np.arange(len(jobs), dtype=np.int64)
        done = 0
        while (done := enter(self.state, jobs, which, slots, behind_floor, done)) < len(which):
            self.grow_pool()

    def grow_pool(self) -> None:
        """Twice as much room for stops."""
        self.state = with_pool(self.state, 2 * len(self.state.stops))

    def take_out(self, day: int, member: int, handle: int) -> None:
        """Remove a stop from its route."""
        row = self.rows.get(day)
        if row is None:
            self._waiting[day] = [stop for stop in self._waiting[day] if stop[2] != handle]
        else:
            take_out(self.state, row * self.capacity + member, handle)

    def advance(self, now: float) -> None:
        """Let time go on (or back): days start later, locations age, days pass."""
        if now == self.now:
            return
        self.now = now
        self.today, _ = self.fleet.clocks(now)
        for day in self.rows:
            self._fill(day)

    def _fill(self, day: int) -> None:
        row = self.rows[day]
        begin = row * self.capacity
        self.fleet.fill(self.state.slots[begin : begin + self.count], day, self.now)
        rebuild_slots(self.state, np.arange(begin, begin + self.count, dtype=np.int64))
        plant(self.state, row, self.count)


def job_records(jobs: list[Job], handles: list[int]) -> Records:
    """Jobs as records for the kernels; row, needs and exclusions are left at 0."""
    records = np.zeros(len(jobs), dtype=JOB)
    if not jobs:
        return records
    columns = np.array(
        [
            (j.lat, j.lng, j.opens_s, j.closes_s, j.on_site_s, j.drop, j.pick, j.number, j.scheduled, j.created)
            for j in jobs
        ]
    ).T
    set_place(records, "", columns[0], columns[1])
    for name, column in zip(
        ("opens", "closes", "on_site", "drop", "pick", "number", "scheduled", "created"), columns[2:], strict=True
    ):
        records[name] = column
    records["placed"] = ~np.isnan(columns[0])
    records["under_way"] = [job.checked_in for job in jobs]
    records["handle"] = handles
    return records
