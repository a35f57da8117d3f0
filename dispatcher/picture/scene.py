"""What a picture of a plan shows, free of how it is drawn: members, jobs, day routes and a few sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Place = tuple[float, float]
"""(latitude, longitude) in degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A job or a stop as a place on the map with its window.

    Attributes:
        key: its key (`uidSecondary`, else `id`).
        title: `destinationName`, "" when it has none.
        place: None when it has no coordinates that can be used.
        opens_s, closes_s: window, seconds since local midnight; `closes_s` is infinite for an open end.
    """

    key: str
    title: str
    place: Place | None
    opens_s: float
    closes_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job of the plan and what was decided of it.

    Attributes:
        spot: where it is.
        day: YYYYMMDD.
        member: number of its member in `Scene.members`, -1 for nobody, or somebody unknown to the fleet.
        worker: the member's name, None for nobody.
        preassigned: it named its member itself.
        start_s: start of the work, seconds since local midnight.
        distance_m: great circle from the member's reference position.
        added_travel_s: what it adds to the day's travel.
        reason: for a job without a member, the one code that the picture sorts it under; "" when there is none.
        reasons: members out of question by code: (count, example).
    """

    spot: Spot
    day: int
    member: int
    worker: str | None
    preassigned: bool
    start_s: float | None
    distance_m: float | None
    added_travel_s: float | None
    reason: str
    reasons: Mapping[str, tuple[int, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crewmate:
    """A member.

    Attributes:
        name: `username`, else `uid`.
        title: the person's name, "" when the record has none.
        place: reference position on the first day of the plan, None when there is none.
        begin_s, end_s: shift on that day, seconds since local midnight; equal on a day off.
        open: takes jobs on that day at all.
    """

    name: str
    title: str
    place: Place | None
    begin_s: float
    end_s: float
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One stop of a day route.

    Attributes:
        spot: number in `Scene.spots`.
        arrive_s, start_s, leave_s: seconds since local midnight of the day.
    """

    spot: int
    arrive_s: float
    start_s: float
    leave_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRoute:
    """A member's day with at least one stop.

    Attributes:
        member: number in `Scene.members`.
        day: YYYYMMDD.
        start, end: where it begins (reference position) and ends; None when unset.
        calls: the stops in order.
        travel_m: way along the stops, great circles × circuity.
    """

    member: int
    day: int
    start: Place | None
    end: Place | None
    calls: Sequence[Call]
    travel_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A plan, ready to be drawn.

    Attributes:
        now: the moment of the plan, Unix seconds.
        timezone: the account's, for writing `now`.
        policy: `nearest`, `least_detour` or `none`.
        members: in input order.
        jobs: in the order of the plan.
        spots: the places of all jobs (same numbers), then of stops that members had before.
        routes: by day, then by member.
    """

    now: float
    timezone: str
    policy: str
    members: Sequence[Crewmate]
    jobs: Sequence[PlannedJob]
    spots: Sequence[Spot]
    routes: Sequence[DayRoute]

    @property
    def days(self) -> list[int]:
        """Days of the plan (YYYYMMDD), ascending."""
        return sorted({job.day for job in self.jobs} | {route.day for route in self.routes})

    @property
    def assigned(self) -> int:
        """Jobs that have a member."""
        return sum(job.worker is not None for job in self.jobs)

    @property
    def travel_m(self) -> float:
        """Way of all day routes."""
        return sum(route.travel_m for route in self.routes)

    def jobs_per_member(self) -> list[int]:
        """Jobs of this plan for each member that has any on a day, one entry per member and day."""
        count: dict[tuple[int, int], int] = {}
        for job in self.jobs:
            if job.member >= 0:
                at = (job.day, job.member)
                count[at] = count.get(at, 0) + 1
        return list(count.values())

    def distances_m(self) -> list[float]:
        """From the member's reference position to the job, of every job where it is known."""
        return [job.distance_m for job in self.jobs if job.distance_m is not None]

    def reasons(self) -> dict[str, int]:
        """Jobs without a member by the code that they are sorted under, most first."""
        count: dict[str, int] = {}
        for job in self.jobs:
            if job.worker is None:
                count[job.reason] = count.get(job.reason, 0) + 1
        return dict(sorted(count.items(), key=lambda item: (-item[1], item[0])))
