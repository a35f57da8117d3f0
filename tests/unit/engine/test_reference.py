"""Where a member's day starts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.people import MONDAY, SIX, STEP_M, at, engine, job, member

FRESH = (SIX - 900) * 1000
STALE = (SIX - 901) * 1000


def steps_away(
    record: dict[str, Any], *, day: int = MONDAY, company: dict[str, Any] | None = None, **settings: Any
) -> int | None:
    """Distance in steps from the reference position to a job at 0; None without one."""
    distance = engine([record], company=company, **settings).decide([job(0, day=day)])[0].distance_m
    return None if distance is None else round(distance / STEP_M)


def live(ts: float, steps: float = 3, **fields: Any) -> dict[str, Any]:
    return member("ann", None, location={**at(steps), "ts": ts}, **fields)


START = {"route_start_lat": 0.0, "route_start_lng": at(7)["lng"]}
COMPANY = {"teams_config": [{"id": 1, "route": None}, {"id": 2, "route": at(5)}]}


def test_today_a_fresh_location_comes_first() -> None:
    assert steps_away(live(FRESH, **START)) == 3


def test_an_old_location_gives_way_to_the_route_start() -> None:
    assert steps_away(live(STALE, **START)) == 7


def test_on_a_future_day_the_location_plays_no_part() -> None:
    assert steps_away(live(FRESH, **START), day=MONDAY + 1) == 7


def test_the_first_team_with_a_start_comes_next() -> None:
    assert steps_away(live(STALE, teams=[1, 2]), company=COMPANY) == 5


@pytest.mark.parametrize(
    "route",
    [at(5), {"start_lat": 0.0, "start_lng": at(5)["lng"]}, {"route_start_lat": 0.0, "route_start_lng": at(5)["lng"]}],
)
def test_a_teams_start_may_have_three_shapes(route: dict[str, float]) -> None:
    assert steps_away(live(STALE, teams=[2]), company={"teams_config": [{"id": 2, "route": route}]}) == 5


def test_an_old_location_is_better_than_none_unless_the_setting_says_no() -> None:
    assert steps_away(live(STALE)) == 3
    assert steps_away(live(STALE), stale_location="ignore") is None
    assert steps_away(live(FRESH), stale_location="ignore") == 3
    assert steps_away(live(FRESH), day=MONDAY + 1, stale_location="ignore") is None


@pytest.mark.parametrize("ts", [0, None, "now", (SIX + 99) * 1000])
def test_a_location_without_a_time_is_old_and_one_from_the_future_fresh(ts: Any) -> None:
    assert steps_away(live(ts, **START)) == (3 if isinstance(ts, float) else 7)


@pytest.mark.parametrize(
    ("lat", "lng"), [(0, 0), (None, 10), (91, 10), (0, 181), (float("nan"), 10), ("0", "10"), (True, 10)]
)
def test_a_place_that_is_none_is_unset(lat: Any, lng: Any) -> None:
    record = member("ann", None, location={"lat": lat, "lng": lng, "ts": FRESH})
    decision = engine([record]).decide([job()], reasons=True)[0]
    assert list(decision.reasons or {}) == ["no_location"]
