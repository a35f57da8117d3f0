import math
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dispatcher.sandbox import CITIES, City, cities_named, generated_fleet, generated_jobs
from dispatcher.sandbox.fleet import WEEKDAYS

NOW = 1_795_953_600.0


def _distance_m(lat: float, lng: float, city: City) -> float:
    north = math.radians(lat - city.lat)
    east = math.radians(lng - city.lng) * math.cos(math.radians(city.lat))
    return 6_371_008.8 * math.hypot(north, east)


def test_cities_are_real_places_with_known_time_zones() -> None:
    assert len({city.name for city in CITIES}) == len(CITIES) >= 20
    for city in CITIES:
        assert -90 < city.lat < 90
        assert -180 < city.lng < 180
        assert ZoneInfo(city.timezone).key == city.timezone


def test_cities_are_found_by_name_in_the_order_given() -> None:
    assert [city.name for city in cities_named(" tokyo, Vienna")] == ["Tokyo", "Vienna"]
    assert cities_named("all") == CITIES
    assert cities_named("")[0].name == "Vienna"
    with pytest.raises(ValueError, match="Atlantis"):
        cities_named("Vienna, Atlantis")


def test_the_same_seed_makes_the_same_fleet_and_another_seed_another() -> None:
    assert generated_fleet(30, seed=1, now=NOW) == generated_fleet(30, seed=1, now=NOW)
    assert generated_fleet(30, seed=1, now=NOW) != generated_fleet(30, seed=2, now=NOW)
    assert generated_fleet(0, seed=1, now=NOW)[0] == []


def test_members_are_distinct_and_live_around_their_city() -> None:
    accounts, company = generated_fleet(5000, seed=1, now=NOW, cities=CITIES)

    for name in ("uid", "username"):
        assert len({account[name] for account in accounts}) == 5000
    for i, account in enumerate(accounts):
        city = CITIES[i % len(CITIES)]
        assert account["timezone"] == city.timezone
        if "location" in account:
            assert _distance_m(account["location"]["lat"], account["location"]["lng"], city) < 30_000
    assert {team["id"] for team in company["teams_config"]} == {team for a in accounts for team in a["teams"]}


def test_most_members_can_work_on_any_weekday() -> None:
    accounts, _ = generated_fleet(2000, seed=1, now=NOW)
    workers = [account for account in accounts if account["role"] == "worker"]

    assert len(workers) > 1900
    for day in WEEKDAYS:
        working = [a["working_hours"][day] for a in workers if a["working_hours"][day] != {"start": 0, "end": 0}]
        assert len(working) > 0.8 * len(workers)
        assert all(hours["start"] < hours["end"] and hours["end"] % 100 < 60 for hours in working)


def test_most_locations_are_fresh_and_some_members_start_from_a_place_of_their_own() -> None:
    accounts, _ = generated_fleet(2000, seed=1, now=NOW)
    ages = [NOW - account["location"]["ts"] / 1000 for account in accounts if "location" in account]

    assert all(age >= 0 for age in ages)
    assert sum(age < 900 for age in ages) > 0.85 * len(accounts)
    assert any(age > 3600 for age in ages)
    assert len(ages) < len(accounts)
    assert 0.3 < sum("route_start_lat" in account for account in accounts) / len(accounts) < 0.5
    assert {account["vehicle_capacity"] for account in accounts} == {0}


def test_jobs_lie_around_the_cities_with_two_hour_windows_in_the_working_day() -> None:
    jobs = list(generated_jobs(5000, seed=1, day=20261130, keys="x-"))

    assert [job["uidSecondary"] for job in jobs] == [f"x-{i:07d}" for i in range(5000)]
    windows: Counter[bool] = Counter()
    for job in jobs:
        near = min(_distance_m(job["destinationLat"], job["destinationLng"], city) for city in cities_named(""))
        assert near < 40_000
        windows["windowStart" in job] += 1
        if "windowStart" in job:
            assert 800 <= job["windowStart"] < job["windowEnd"] <= 1800
            assert job["windowEnd"] - job["windowStart"] == 200
            assert job["windowStart"] % 100 in {0, 30}
        assert 0 <= job["priority"] <= 10
    assert 0.85 < windows[True] / 5000 < 0.9
    assert 0.01 < sum(job["day"] == 0 for job in jobs) / 5000 < 0.03
    assert {job["day"] for job in jobs} == {0, 20261130}


def test_jobs_can_come_without_windows_and_without_keys() -> None:
    jobs: list[dict[str, Any]] = list(generated_jobs(100, seed=1, day=20261130, windows=False, keys=""))

    assert not any("windowStart" in job or "uidSecondary" in job for job in jobs)
    assert jobs == list(generated_jobs(100, seed=1, day=20261130, windows=False, keys=""))
