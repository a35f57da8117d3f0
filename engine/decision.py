"""What the engine says of a job: a member, or the reasons why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MEMBER_REASONS: Final = (
    "past_day",
    "not_eligible",
    "team_mismatch",
    "missing_skill",
    "excluded",
    "no_location",
    "off_shift",
    "over_distance",
    "at_job_cap",
    "window_unreachable",
    "shift_too_short",
    "over_capacity",
    "route_full",
)
"""Codes that are counted per member, in the order in which the first true one counts."""

JOB_REASONS: Final = ("no_members", "bad_coordinates")
"""Codes that concern the job as a whole; they come before all others."""


@dataclass(frozen=True, slots=True)
class Reason:
    """How many members could not take a job for one cause.

    Attributes:
        count: members for whom this was the first true cause.
        example: name of the first such member in input order; None when there is no member at all.
    """

    count: int
    example: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of one job.

    Attributes:
        index: place of the job in the batch.
        key: the job's `uidSecondary`.
        worker: the member's username; for a job that names somebody unknown to the fleet, the name it gives; None:
            nobody.
        distance_m: great circle from the reference position to the destination, metres.
        added_travel_s: what the job adds to the day's travel, seconds.
        position: place in the day route, from 0.
        start_s: start of the work, seconds since local midnight of the job's day.
        preassigned: True when the job named its member itself.
        reasons: why nobody could take it, by code, when that was asked for.
    """

    index: int
    key: str | None
    worker: str | None
    distance_m: float | None
    added_travel_s: float | None
    position: int | None
    start_s: float | None
    preassigned: bool = False
    reasons: Mapping[str, Reason] | None = None


@dataclass(frozen=True, slots=True)
class RouteStop:
    """One stop of a day route as it stands. Times are seconds since local midnight of the day.

    Attributes:
        key: the job's `uidSecondary`, else its `id`, else None.
        arrive_s: arrival at the place.
        start_s: start of the work (after waiting for the window).
        leave_s: end of the work.
    """

    key: str | None
    arrive_s: float
    start_s: float
    leave_s: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one member would make of a job.

    Attributes:
        worker: name of the member.
        distance_m: great circle from the reference position, metres; None without one.
        added_travel_s, position, start_s: where it would fit best; None when it does not.
        stops: open stops of that day.
        code: why the member cannot take it (`MEMBER_REASONS`), None when it can.
        detail: the cause in words, with the setting or the data that would change it.
    """

    worker: str
    distance_m: float | None
    added_travel_s: float | None
    position: int | None
    start_s: float | None
    stops: int
    code: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job goes to whom it goes, on the routes as they stand without it.

    Attributes:
        key: the job's `uidSecondary`.
        policy: by which the members were compared.
        chosen: who would take it now; None: nobody.
        next_best: who would take it if the chosen one could not.
        margin: by how much the next best is worse: metres (nearest) or seconds of added travel (least_detour).
        passed_over: members that are nearer than the chosen one, nearest first, and why each was passed over; without a
            chosen one simply the nearest.
        reasons: all members that cannot take it, by code.
    """

    key: str | None
    policy: str
    chosen: Candidate | None
    next_best: Candidate | None
    margin: float | None
    passed_over: tuple[Candidate, ...]
    reasons: Mapping[str, Reason]
