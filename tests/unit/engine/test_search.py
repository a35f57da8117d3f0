"""The search finds what the plain scan over all members finds, and its bounds keep out nobody who could take a job."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

import engine.batch
from engine import Decision, Engine, EngineSettings
from engine.bounds import slot_may
from engine.job import read_job
from engine.room import bucket
from engine.scan import decide_by_scan, survey
from engine.state import FOUND
from tests.unit.engine.people import ALWAYS, MONDAY, SIX

ZONES = ("UTC", "UTC", "Europe/Rome", "Pacific/Kiritimati", "Pacific/Pago_Pago")
EDGES = ((0.0, 179.99), (0.1, -179.99), (89.9, 10.0), (89.9, -170.0), (-89.95, 0.0))


def fleet_of(random: Random, size: int) -> tuple[list[dict[str, Any]], list[tuple[float, float]]]:
    """Members at few places, so that ties are common, of all sorts."""
    spots = [(48 + random.random() * 0.3, 16 + random.random() * 0.4) for _ in range(random.choice([3, 8, 40]))]
    spots += EDGES
    accounts = []
    for i in range(size):
        record: dict[str, Any] = {
            "username": f"m{i}", "role": "worker", "teams": random.sample([1, 2, 3], random.randint(0, 2)),
            "timezone": random.choice(ZONES), "travel_mode": random.choice(["car", "bicycle", "truck"]),
            "vehicle_capacity": random.choice([0, 0, 2, 5]), "working_hours": random.choice([ALWAYS, None]),
        }  # fmt: skip
        lat, lng = random.choice(spots)
        record["location"] = {"lat": lat, "lng": lng, "ts": random.choice([0, SIX * 1000])}
        for name in ("start", "end"):
            if random.random() < 0.3:
                record[f"route_{name}_lat"], record[f"route_{name}_lng"] = random.choice(spots)
        accounts.append(record)
    return accounts, spots


def job_of(random: Random, spots: list[tuple[float, float]], members: int) -> dict[str, Any]:
    lat, lng = random.choice(spots)
    if random.random() < 0.4:
        lat, lng = (
            max(-90.0, min(90.0, lat + random.gauss(0, 0.02))),
            max(-180.0, min(180.0, lng + random.gauss(0, 0.03))),
        )
    job: dict[str, Any] = {
        "destinationLat": lat, "destinationLng": lng, "day": random.choice([0, 0, MONDAY, MONDAY + 1]),
        "onSiteSeconds": random.choice([0, 60, 720, 1800, 3600, 36000]), "priority": random.choice([5, 5, 0, 10]),
    }  # fmt: skip
    if random.random() < 0.6:
        job["windowStart"], job["windowEnd"] = sorted(random.sample([600, 700, 800, 930, 1100, 1200, 1500, 1700], 2))
    if random.random() < 0.3:
        job["teamId"] = random.randint(1, 4)
    if random.random() < 0.2:
        job["custom_excluded_workers"] = f"m{random.randrange(members)}"
    if random.random() < 0.3:
        job["itemsToDropoff"], job["itemsToPickup"] = random.randint(0, 2), random.randint(0, 2)
    if random.random() < 0.1:
        job["worker"] = f"m{random.randrange(members)}"
    if random.random() < 0.3:
        job["uidSecondary"] = f"k{random.randrange(40)}"
    return job


def settings_of(random: Random) -> EngineSettings:
    return EngineSettings(
        policy=random.choice(["nearest", "least_detour"]),
        max_jobs_per_day=random.choice([0, 0, 4]),
        max_distance_km=random.choice([0, 0, 20]),
        stale_location=random.choice(["use", "ignore"]),
    )


@pytest.mark.parametrize("seed", range(24))
def test_the_search_decides_like_the_scan(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both policies, several todays, caps, capacity, the antimeridian and the poles, with cancelled stops between."""

    def story() -> list[Decision]:
        random = Random(seed)
        members = random.choice([1, 3, 40, 160])
        accounts, spots = fleet_of(random, members)
        fleet = Engine(accounts, settings=settings_of(random), now=SIX)
        decided = []
        for k in range(4):
            batch = [job_of(random, spots, members) for _ in range(50)]
            decided += fleet.decide(batch, now=SIX + k * 1800, reasons=True)
            fleet.cancel([f"k{i}" for i in range(k * 3, k * 3 + 5)])
            fleet.update_location(f"m{random.randrange(members)}", *random.choice(spots))
        return decided

    searched = story()
    monkeypatch.setattr(engine.batch, "decide", decide_by_scan)
    assert searched == story()
    assert sum(decision.worker is not None for decision in searched) > 0


@pytest.mark.parametrize("seed", range(8))
def test_no_bound_keeps_out_a_member_who_could_take_the_job(seed: int) -> None:
    random = Random(100 + seed)
    accounts, spots = fleet_of(random, 60)
    fleet = Engine(accounts, settings=settings_of(random), now=SIX)
    fleet.decide([job_of(random, spots, 60) for _ in range(250)])
    book = fleet._book
    seen = 0
    for _ in range(60):
        read = read_job(0, {**job_of(random, spots, 60), "worker": None})
        records, needs, excluded = book.columns([read], 0)
        rows = book.days.today_rows()
        found, codes = np.zeros(60, dtype=FOUND), np.zeros(60, dtype=np.int64)
        survey(book.days.state, 60, rows, records, 0, needs, excluded, *book.caps(), found, codes)
        first, last = bucket(read.opens_s), bucket(read.closes_s + 1e-6)
        for member in np.flatnonzero(codes < 0):
            slot = int(found["row"][member]) * book.days.capacity + int(member)
            assert slot_may(book.days.state, slot, records, 0, first, last)
            seen += 1
    assert seen > 50


def test_after_a_batch_no_job_without_a_member_still_fits_somebody() -> None:
    """Nothing leaves a route during a batch, so what did not fit at its turn does not fit at the end."""
    random = Random(9)
    accounts, spots = fleet_of(random, 40)
    fleet = Engine(accounts, now=SIX)
    batch = [{**job_of(random, spots, 40), "uidSecondary": None, "worker": None} for _ in range(400)]
    left = [job for job, decision in zip(batch, fleet.decide(batch), strict=True) if decision.worker is None]
    assert left
    assert all(fleet.explain(job).chosen is None for job in left)


def test_a_full_team_among_idle_ones_is_seen_as_full() -> None:
    """Nobody of the asked team has room: the search must not try the idle members of the others, or the full ones."""
    accounts = [
        {"username": f"m{i}", "role": "worker", "teams": [i % 5 + 1], "location": {"lat": 48 + i / 1e4, "lng": 16.0}}
        for i in range(500)
    ]
    fleet = Engine(accounts, now=SIX)
    day = {"destinationLat": [48.01] * 100, "destinationLng": [16.0] * 100, "day": [MONDAY + 1] * 100}
    filled = fleet.decide_columns({**day, "teamId": [1] * 100, "onSiteSeconds": [80000] * 100})
    assert (filled.member >= 0).all()
    refused = fleet.decide_columns({**day, "teamId": [1] * 100, "onSiteSeconds": [7200] * 100})
    assert (refused.member < 0).all()
    assert refused.tests.max() == 0
