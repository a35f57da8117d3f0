"""The oracle's words: its settings, and what it says of one job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.days import Insertion

Json = Mapping[str, Any]

SETTINGS: dict[str, Any] = {
    "policy": "nearest",
    "timezone": "UTC",
    "default_shift": "00:00-24:00",
    "working_hours_unit": "hhmm",
    "circuity": 1.3,
    "max_location_age_s": 900.0,
    "stale_location": "use",
    "assignable_roles": ("worker",),
    "unavailable_labels": (),
    "member_skills": {},
    "max_jobs_per_day": 0,
    "max_distance_km": 0.0,
}
"""Every setting that the rules know, with its default."""

Counts = dict[str, tuple[int, str | None]]
"""Reason code to how many members it counts for and the first of them."""


@dataclass(frozen=True)
class PlainDecision:
    """What the rules say of one job, in the units of the engine's decision."""

    index: int
    key: str | None
    worker: str | None
    distance_m: float | None = None
    added_travel_s: float | None = None
    position: int | None = None
    start_s: float | None = None
    preassigned: bool = False
    reasons: Counts | None = None


@dataclass(frozen=True)
class Candidate:
    """A member whom the job fits, and where."""

    member: int
    distance: float
    stops: int
    insertion: Insertion
