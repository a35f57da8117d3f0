"""Small fleets on the equator, where a hundredth of a degree is a minute by car."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from engine import Engine, EngineSettings
from engine.sphere import RADIUS_M

MONDAY = 20260105
MIDNIGHT = 1_767_571_200.0
"""Monday, 5 January 2026, 00:00 UTC."""
SIX = MIDNIGHT + 6 * 3600
STEP_M = RADIUS_M * math.radians(0.01)
"""A hundredth of a degree on the equator, metres."""
MINUTE_A_STEP = 60.0 * (50.0 / 3.6) / STEP_M
"""The circuity with which a car takes 60 s for a step."""

approx: Any = pytest.approx
"""Typed loosely, so that it may stand inside of tuples."""

ALWAYS = {
    day: {"start": 800, "end": 1800}
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}


def at(steps: float) -> dict[str, float]:
    """A place on the equator, so many steps east of 10 degrees."""
    return {"lat": 0.0, "lng": 10.0 + steps * 0.01}


def member(name: str, steps: float | None = 0.0, **fields: Any) -> dict[str, Any]:
    """A worker whose day starts at a place; shift 08:00 to 18:00 UTC."""
    record: dict[str, Any] = {
        "username": name,
        "uid": f"uid-{name}",
        "role": "worker",
        "timezone": "UTC",
        "working_hours": ALWAYS,
    }
    if steps is not None:
        record |= {"route_start_lat": 0.0, "route_start_lng": at(steps)["lng"]}
    return record | fields


def job(steps: float | None = 0.0, key: str | None = None, **fields: Any) -> dict[str, Any]:
    """A job of ten minutes on Monday."""
    record: dict[str, Any] = {"day": MONDAY, "onSiteSeconds": 600}
    if steps is not None:
        record |= {"destinationLat": 0.0, "destinationLng": at(steps)["lng"]}
    if key is not None:
        record["uidSecondary"] = key
    return record | fields


def engine(
    accounts: Sequence[Mapping[str, Any]],
    *,
    routes: Sequence[Mapping[str, Any]] = (),
    company: Mapping[str, Any] | None = None,
    now: float = SIX,
    **settings: Any,
) -> Engine:
    """An engine in which a step takes a minute."""
    chosen = EngineSettings(**({"circuity": MINUTE_A_STEP} | settings))
    return Engine(accounts, routes=routes, company=company, settings=chosen, now=now)


def clock(hours: float, minutes: float = 0.0) -> float:
    """A time of day in seconds."""
    return hours * 3600.0 + minutes * 60.0
