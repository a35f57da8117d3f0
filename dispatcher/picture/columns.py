"""A scene as columns: the JSON that the page's script reads. Small, because nothing is named twice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from dispatcher.picture.colours import deal
from dispatcher.picture.scene import DayRoute, Place, PlannedJob, Scene, Spot
from dispatcher.picture.sheet import cut, unrolled

DEGREES = 5
"""Decimals of coordinates: a metre."""


def columns(scene: Scene) -> dict[str, Any]:
    """The document.

    - `members`: name, title, lat, lng, begin, end (s), open, colour (number).
    - `spots`: key, title, lat, lng, opens, closes (s; null for an open end). The first ones are the jobs'.
    - `jobs`, aligned with `spots`: day (number in `days`), member (-1: nobody known), worker (only where the fleet does
      not know it), named, start, distance, added, reason (number in `codes`, -1: none), reasons (list of [code,
      members, number of one of them or -1]).
    - `routes`: member, day, from, to (lat, lng), metres, and first and count of its `calls`.
    - `calls`: spot, arrive, start, leave.

    Longitudes are those of a sheet cut in the widest gap, see `cut`.
    """
    at = cut(scene)
    days = scene.days
    day_number = {day: number for number, day in enumerate(days)}
    member_number = {member.name: number for number, member in reversed(list(enumerate(scene.members)))}
    codes = sorted(
        {code for job in scene.jobs for code in job.reasons} | {job.reason for job in scene.jobs if job.reason}
    )
    code_number = {code: number for number, code in enumerate(codes)}
    calls = [call for route in scene.routes for call in route.calls]
    return {
        "days": days,
        "codes": codes,
        "members": {
            "name": [member.name for member in scene.members],
            "title": [member.title for member in scene.members],
            **_places((member.place for member in scene.members), at),
            "begin": [_seconds(member.begin_s) for member in scene.members],
            "end": [_seconds(member.end_s) for member in scene.members],
            "open": [int(member.open) for member in scene.members],
            "colour": deal([member.place for member in scene.members]),
        },
        "spots": _spots(scene.spots, at),
        "jobs": {
            "day": [day_number[job.day] for job in scene.jobs],
            "member": [job.member for job in scene.jobs],
            "worker": {str(n): job.worker for n, job in enumerate(scene.jobs) if job.worker and job.member < 0},
            "named": [n for n, job in enumerate(scene.jobs) if job.preassigned],
            "start": [_seconds(job.start_s) for job in scene.jobs],
            "distance": [_seconds(job.distance_m) for job in scene.jobs],
            "added": [_seconds(job.added_travel_s) for job in scene.jobs],
            "reason": [code_number.get(job.reason, -1) for job in scene.jobs],
            "reasons": {
                str(n): _reasons(job, code_number, member_number) for n, job in enumerate(scene.jobs) if job.reasons
            },
        },
        "routes": _routes(scene.routes, day_number, at),
        "calls": {
            "spot": [call.spot for call in calls],
            "arrive": [_seconds(call.arrive_s) for call in calls],
            "start": [_seconds(call.start_s) for call in calls],
            "leave": [_seconds(call.leave_s) for call in calls],
        },
    }


def _routes(routes: Sequence[DayRoute], day_number: dict[int, int], at: float) -> dict[str, Any]:
    first, begin = [], 0
    for route in routes:
        first.append(begin)
        begin += len(route.calls)
    return {
        "member": [route.member for route in routes],
        "day": [day_number[route.day] for route in routes],
        "from": [_pair(route.start, at) for route in routes],
        "to": [_pair(route.end, at) for route in routes],
        "metres": [round(route.travel_m) for route in routes],
        "first": first,
        "count": [len(route.calls) for route in routes],
    }


def _spots(spots: Sequence[Spot], at: float) -> dict[str, Any]:
    return {
        "key": [spot.key for spot in spots],
        "title": [spot.title for spot in spots],
        **_places((spot.place for spot in spots), at),
        "opens": [_seconds(spot.opens_s) for spot in spots],
        "closes": [_seconds(spot.closes_s) for spot in spots],
    }


def _reasons(job: PlannedJob, code_number: dict[str, int], member_number: dict[str, int]) -> list[list[int]]:
    return [
        [code_number[code], count, member_number.get(example or "", -1)]
        for code, (count, example) in job.reasons.items()
    ]


def _places(places: Iterable[Place | None], at: float) -> dict[str, list[float | None]]:
    pairs = [_pair(place, at) for place in places]
    return {"lat": [pair and pair[0] for pair in pairs], "lng": [pair and pair[1] for pair in pairs]}


def _pair(place: Place | None, at: float) -> tuple[float, float] | None:
    if place is None:
        return None
    lat, lng = unrolled(place, at)
    return round(lat, DEGREES), round(lng, DEGREES)


def _seconds(value: float | None) -> int | None:
    return None if value is None or not math.isfinite(value) else round(value)
