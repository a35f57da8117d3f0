"""Small plans, decided by the real engine, as scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispatcher.picture import Scene, compose
from engine import Decision, Engine, EngineSettings

ROME = ZoneInfo("Europe/Rome")
DAY = 20261130
NOW = datetime(2026, 11, 29, 8, 0, tzinfo=ROME).timestamp()
"""The morning before."""


def member(uid: str, lat: float, lng: float = 7.0, **fields: Any) -> dict[str, Any]:
    return {
        "uid": uid,
        "username": f"{uid}@acme.com",
        "name": uid.title(),
        "role": "worker",
        "teams": [1],
        "timezone": "Europe/Rome",
        "route_start_lat": lat,
        "route_start_lng": lng,
        "working_hours": {"monday": {"start": 800, "end": 1700}},
    } | fields


def job(key: str, lat: float, lng: float = 7.0, **fields: Any) -> dict[str, Any]:
    return {
        "uidSecondary": key,
        "destinationName": f"Visit {key}",
        "destinationLat": lat,
        "destinationLng": lng,
        "day": DAY,
    } | fields


def planned(
    members: Sequence[Mapping[str, Any]],
    jobs: Sequence[Mapping[str, Any]],
    *,
    saved: Sequence[Mapping[str, Any]] = (),
    now: float = NOW,
    **settings: Any,
) -> Scene:
    """The scene of a plan as the command makes it."""
    given = EngineSettings(timezone="Europe/Rome", **settings)
    engine = Engine(members, routes=saved, settings=given, now=now)
    return compose(
        accounts=members,
        company=None,
        saved=saved,
        jobs=jobs,
        decisions=engine.decide(jobs, reasons=True),
        engine=engine,
        settings=given,
        policy=given.policy,
        now=now,
    )


def undecided(members: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]]) -> Scene:
    """The same without an engine: jobs keep whom they name."""
    decisions = [
        Decision(
            index=index,
            key=each["uidSecondary"],
            worker=each.get("worker"),
            distance_m=None,
            added_travel_s=None,
            position=None,
            start_s=None,
            preassigned="worker" in each,
            reasons={},
        )
        for index, each in enumerate(jobs)
    ]
    return compose(
        accounts=members,
        company=None,
        saved=(),
        jobs=jobs,
        decisions=decisions,
        engine=None,
        settings=EngineSettings(),
        policy="none",
        now=NOW,
    )
