"""A world for hand-computed examples: a meridian where one degree is one hour by car, on Monday 2026-11-30.

Places are `(latitude, 10)`. With `HOUR_A_DEGREE` as circuity a car needs 3 600 s for one degree of latitude, so every
time in an example can be counted on fingers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import pi
from typing import Any

from tests.oracle.decisions import PlainDecision
from tests.oracle.oracle import Oracle

DEGREE_M = 6_371_008.8 * pi / 180
"""Length of one degree of a great circle."""
HOUR_A_DEGREE = 50_000 / DEGREE_M
"""The circuity that makes one degree take one hour at 50 km/h."""
MONDAY = 20261130
TUESDAY = 20261201
SUNDAY = 20261129
H = 3600.0


def at(hour: int, minute: int = 0, *, day: int = MONDAY) -> float:
    """Unix time of a UTC wall clock."""
    return datetime(day // 10_000, day // 100 % 100, day % 100, hour, minute, tzinfo=UTC).timestamp()


def hours(start: int, end: int, *weekdays: str) -> dict[str, Any]:
    """Working hours on the named weekdays, Monday when none is named."""
    return {weekday: {"start": start, "end": end} for weekday in weekdays or ("monday",)}


def member(name: str = "ann", lat: float | None = 1.0, **fields: Any) -> dict[str, Any]:
    """A worker whose route starts at `(lat, 10)`, on shift around the clock unless told otherwise."""
    account: dict[str, Any] = {"uid": f"u-{name}", "username": name, "role": "worker", "timezone": "UTC"}
    if lat is not None:
        account |= {"route_start_lat": lat, "route_start_lng": 10.0}
    return account | fields


def job(key: str | None = None, lat: float = 1.0, **fields: Any) -> dict[str, Any]:
    """A job at `(lat, 10)` on Monday that takes no time on site unless told otherwise."""
    made: dict[str, Any] = {"destinationLat": lat, "destinationLng": 10.0, "day": MONDAY, "onSiteSeconds": 0}
    return made | ({"uidSecondary": key} if key else {}) | fields


def fleet(
    *members: dict[str, Any],
    routes: tuple[dict[str, Any], ...] = (),
    teams: list[dict[str, Any]] | None = None,
    now: float = at(6, day=SUNDAY),
    **settings: Any,
) -> Oracle:
    """A fleet asked on the Sunday before, so that Monday starts with the shift."""
    settings = {"circuity": HOUR_A_DEGREE} | settings
    return Oracle(members, routes=routes, company={"teams_config": teams or []}, settings=settings, now=now)


def decide_one(oracle: Oracle, the_job: dict[str, Any]) -> PlainDecision:
    return oracle.decide([the_job])[0]


def why(oracle: Oracle, the_job: dict[str, Any]) -> dict[str, tuple[int, str | None]]:
    """The reasons of a job that nobody can take."""
    decision = decide_one(oracle, the_job)
    assert decision.worker is None
    assert decision.reasons is not None
    return decision.reasons
