"""A reason code in words that a dispatcher can act on: the setting or the data that would change the answer."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, radians
from typing import Any

from engine.book import Book
from engine.clock import day_number
from engine.job import Job
from engine.sphere import metres


@dataclass(frozen=True, slots=True)
class Case:
    """One job and one member who cannot take it.

    Attributes:
        book: the fleet.
        job: the job.
        member: index of the member.
        slot: its SLOT record of the job's day, None when the day is past for everybody.
        distance: great circle from its reference position to the job, metres.
    """

    book: Book
    job: Job
    member: int
    slot: Any
    distance: float


def in_words(code: str, case: Case) -> str:
    """The cause in one sentence."""
    name = case.book.members[case.member].name
    return f"{name} {_WORDS[code](case)}"


def clock(seconds: float) -> str:
    """Seconds since midnight as HH:MM, rounded up; past 24 h it counts on."""
    minutes = ceil(seconds / 60 - 1e-6)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _past_day(case: Case) -> str:
    return f"stands at {day_number(int(case.book.days.today[case.member]))}, the job's day {case.job.day} is past"


def _not_eligible(case: Case) -> str:
    return case.book.members[case.member].barred or "is off duty today"


def _team_mismatch(case: Case) -> str:
    teams = ", ".join(str(team) for team in sorted(case.book.members[case.member].teams))
    return f"is in {'teams ' + teams if teams else 'no team'}, the job is for team {case.job.team}"


def _missing_skill(case: Case) -> str:
    lacks = sorted(set(case.job.skills) - case.book.members[case.member].skills)
    return f"lacks {', '.join(lacks)}"


def _excluded(case: Case) -> str:
    del case
    return "is among the job's excluded workers"


def _no_location(case: Case) -> str:
    known = case.book.members[case.member].location is not None
    return (
        "has no route start, and the last known location is too old" if known else "has no location and no route start"
    )


def _off_shift(case: Case) -> str:
    if case.slot["shift_end"] <= 0:
        return "has no shift that day"
    return f"would start at {clock(case.slot['start'])}, the shift ends {clock(case.slot['shift_end'])}"


def _over_distance(case: Case) -> str:
    return f"is {case.distance / 1000:.1f} km away, max_distance_km is {case.book.settings.max_distance_km:g}"


def _at_job_cap(case: Case) -> str:
    return f"has {case.slot['n']} stops that day, max_jobs_per_day is {case.book.settings.max_jobs_per_day}"


def _window_unreachable(case: Case) -> str:
    start, _ = _alone(case)
    if start > case.job.closes_s + 1e-6:
        return f"would start at {clock(start)} at the earliest, the window closes {clock(case.job.closes_s)}"
    return f"has a shift that ends {clock(case.slot['shift_end'])}, the window opens {clock(case.job.opens_s)}"


def _shift_too_short(case: Case) -> str:
    _, end = _alone(case)
    home = " with the way to the route's end" if case.slot["ended"] else ""
    return f"has a shift that ends {clock(case.slot['shift_end'])}; the job would end {clock(end)}{home}"


def _over_capacity(case: Case) -> str:
    slot, job = case.slot, case.job
    return (
        f"has a vehicle_capacity of {slot['capacity']:g} and up to {slot['load_max']:g} items on board; "
        f"the job has {job.drop:g} to drop off and {job.pick:g} to pick up"
    )


def _route_full(case: Case) -> str:
    free = max(float(case.slot["free"]), 0.0)
    if free < case.job.on_site_s:
        return (
            f"has {case.slot['n']} stops that day and at most {free / 60:.0f} min between two of them; "
            f"the job takes {case.job.on_site_s / 60:.0f} min on site"
        )
    return f"has {case.slot['n']} stops that day; at every place among them the job or a later stop would be late"


def _alone(case: Case) -> tuple[float, float]:
    """Start of the job and end of the day when the member had nothing else to do."""
    slot = case.slot
    lat, lng = radians(case.job.lat), radians(case.job.lng)
    start = max(float(slot["start"]) + case.distance * float(slot["per_m"]), case.job.opens_s)
    end = start + case.job.on_site_s
    if slot["ended"]:
        end += metres(lat, lng, cos(lat), float(slot["elat"]), float(slot["elng"]), float(slot["ecos"])) * float(
            slot["per_m"]
        )
    return start, end


_WORDS = {
    "past_day": _past_day,
    "not_eligible": _not_eligible,
    "team_mismatch": _team_mismatch,
    "missing_skill": _missing_skill,
    "excluded": _excluded,
    "no_location": _no_location,
    "off_shift": _off_shift,
    "over_distance": _over_distance,
    "at_job_cap": _at_job_cap,
    "window_unreachable": _window_unreachable,
    "shift_too_short": _shift_too_short,
    "over_capacity": _over_capacity,
    "route_full": _route_full,
}
