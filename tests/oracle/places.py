"""The oracle's map: places, great-circle distance, travel time, and where a member's day begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import Any

from tests.oracle.clock import number
from tests.oracle.shifts import team_ids

EARTH_RADIUS_M = 6_371_008.8
SPEEDS_KMH = {"car": 50, "van": 50, "truck": 45, "motorcycle": 50, "bicycle": 15, "pedestrian": 5}
EQUAL = 1e-6
"""Two distances in metres or times in seconds that are within this are equal."""

Place = tuple[float, float]
"""Latitude and longitude in degrees."""


def place(record: object, lat: str, lng: str) -> Place | None:
    """The place that two fields of a record name; None when it is unset or cannot be one."""
    if not isinstance(record, Mapping):
        return None
    north, east = number(record.get(lat)), number(record.get(lng))
    if north is None or east is None:
        return None
    if abs(north) > 90 or abs(east) > 180 or (north == 0 and east == 0):
        return None
    return north, east


@lru_cache(maxsize=500_000)
def metres(a: Place, b: Place) -> float:
    """Great-circle distance by the haversine formula."""
    lat_a, lat_b = radians(a[0]), radians(b[0])
    half_lat, half_lng = (lat_b - lat_a) / 2, radians(b[1] - a[1]) / 2
    h = sin(half_lat) ** 2 + cos(lat_a) * cos(lat_b) * sin(half_lng) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h)))


def seconds_per_metre(account: Mapping[str, Any], settings: Mapping[str, Any]) -> float:
    """Travel time of one metre of great circle."""
    mode = account.get("travel_mode")
    kmh = SPEEDS_KMH.get(mode, SPEEDS_KMH["car"]) if isinstance(mode, str) else SPEEDS_KMH["car"]
    return float(settings["circuity"]) / (kmh / 3.6)


def reference_position(
    account: Mapping[str, Any],
    teams: Mapping[int, Mapping[str, Any]],
    *,
    is_today: bool,
    now: float,
    settings: Mapping[str, Any],
) -> Place | None:
    """Where the member's day begins: the fresh live location, the route start, the team's, the last known location."""
    location = account.get("location")
    live = place(location, "lat", "lng")
    if is_today and live is not None and is_fresh(location.get("ts"), now, settings):  # type: ignore[union-attr]
        return live
    own_start = place(account, "route_start_lat", "route_start_lng")
    if own_start is not None:
        return own_start
    for team in team_ids(account):
        team_start = team_route_start(teams.get(team, {}).get("route"))
        if team_start is not None:
            return team_start
    return None if settings["stale_location"] == "ignore" else live


def team_route_start(route: object) -> Place | None:
    """A team's route start, in any of the shapes it may have."""
    for lat, lng in (("route_start_lat", "route_start_lng"), ("start_lat", "start_lng"), ("lat", "lng")):
        found = place(route, lat, lng)
        if found is not None:
            return found
    return None


def is_fresh(ts: object, now: float, settings: Mapping[str, Any]) -> bool:
    """Whether a location of `ts` (ms) is no older than `max_location_age_s`; without a `ts` it is stale."""
    seen = number(ts)
    return bool(seen) and now - (seen or 0) / 1000 <= settings["max_location_age_s"] + EQUAL
