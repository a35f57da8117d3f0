"""The fleet as a map shows it, read off an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.pipeline import fleet_map
from dispatcher.pipeline.fleet_map import MEMBER_STATES, members_view, route_view
from engine import Engine, EngineError, EngineSettings

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp()
"""A Wednesday."""


def member(name: str, **fields: Any) -> dict[str, Any]:
    location = {"lat": 45.0, "lng": 7.0, "ts": NOON * 1000}
    return {"username": name, "role": "worker", "location": location} | fields


def shift(start: int, end: int) -> dict[str, Any]:
    return {"working_hours": {"wednesday": {"start": start, "end": end}}}


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationLat": 45.01, "destinationLng": 7.01, "day": 20261118} | fields


def states(engine: Engine, now: float = NOON) -> dict[str, str]:
    view = members_view(engine, now=now)
    return {name: MEMBER_STATES[state] for name, state in zip(view.names, view.states, strict=True)}


def test_each_member_is_in_the_state_in_which_a_dispatcher_would_see_it() -> None:
    engine = Engine(
        [
            member("at work", **shift(800, 1800)),
            member("before", **shift(1300, 1800)),
            member("after", **shift(600, 1100)),
            member("nearly over", **shift(800, 1210)),
            member("day off", **shift(0, 0)),
            member("lost", location={"lat": 45.0, "lng": 7.0, "ts": (NOON - 3600) * 1000}),
            member("nowhere", location=None),
            member("boss", role="admin"),
            member("off duty", states={"moving": "offduty"}),
        ],
        now=NOON,
    )
    assert states(engine) == {
        "at work": "on_shift",
        "before": "off",
        "after": "off",
        "nearly over": "full",
        "day off": "off",
        "lost": "stale",
        "nowhere": "no_place",
        "boss": "off",
        "off duty": "off",
    }


def test_time_changes_it_without_a_decision() -> None:
    engine = Engine([member("ann", **shift(1300, 1800))], now=NOON)
    assert states(engine) == {"ann": "off"}
    later = NOON + 3700
    engine.update_location("ann", 45.0, 7.0, seen_s=later)
    assert states(engine, later) == {"ann": "on_shift"}
    assert states(engine, later + 6 * 3600) == {"ann": "off"}


def test_at_the_cap_of_jobs_a_day_a_member_is_full_and_its_stops_are_on_the_map() -> None:
    engine = Engine([member("ann"), member("bob")], settings=EngineSettings(max_jobs_per_day=1), now=NOON)
    engine.decide([job("A", worker="ann")])
    view = members_view(engine, now=NOON)
    assert states(engine) == {"ann": "full", "bob": "on_shift"}
    assert (view.stops, view.stops_in_all) == ([1, 0], 1)
    assert (view.stop_lats, view.stop_lngs) == ([4501000], [701000])
    assert view.lats == [4500000, 4500000]


def test_of_very_many_stops_every_so_manieth_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_map, "MOST_STOPS", 10)
    engine = Engine([member("ann"), member("bob")], now=NOON)
    engine.decide([job(f"K{n}", worker=("ann", "bob")[n % 2], onSiteSeconds=60) for n in range(35)])
    view = members_view(engine, now=NOON)
    assert view.stops_in_all == 35
    assert 5 <= len(view.stop_lats) <= 10


def test_a_route_is_that_of_the_engine_with_places() -> None:
    home = {"route_end_lat": 45.5, "route_end_lng": 7.5}
    engine = Engine([member("ann", **shift(800, 1800), **home)], now=NOON)
    engine.decide(
        [
            job("A"),
            job("B", destinationLat=45.02, windowStart=1400, windowEnd=1500),
            job("C", destinationLat=0, destinationLng=0, worker="ann"),
        ]
    )
    route = route_view(engine, "ann", 0)
    told = engine.route("ann", 0)
    assert [(stop.key, stop.start_s) for stop in route.stops] == [(stop.key, stop.start_s) for stop in told]
    places = {stop.key: (stop.lat, stop.lng) for stop in route.stops}
    assert places["A"] == pytest.approx((45.01, 7.01))
    assert places["C"] == (None, None)
    assert route.start == pytest.approx((45.0, 7.0))
    assert route.end == pytest.approx((45.5, 7.5))
    assert (route.day, route.shift_s, route.state) == (20261118, (8 * 3600.0, 18 * 3600.0), "on_shift")
    with pytest.raises(EngineError):
        route_view(engine, "nobody", 0)
    with pytest.raises(EngineError):
        route_view(engine, "ann", 20269999)


def test_a_fleet_of_nobody_is_an_empty_map() -> None:
    view = members_view(Engine([], now=NOON), now=NOON)
    assert (view.names, view.lats, view.stops_in_all) == ((), [], 0)
