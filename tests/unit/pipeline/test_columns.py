"""Columns are a faster way to the same decisions."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from dispatcher.pipeline.columns import columns_of, taken
from dispatcher.sandbox import generated_fleet, generated_jobs
from engine import Engine

NOW = 1.9e9
DAY = 20310106


def test_the_decisions_are_those_of_the_jobs_themselves() -> None:
    """Three chunks of 1 500 generated jobs for 60 members: a fleet that fills up."""
    accounts, company = generated_fleet(60, seed=4, now=NOW)
    rng = random.Random(4)
    whole, columned = (Engine(accounts, company=company, now=NOW) for _ in range(2))
    jobs = list(generated_jobs(4_500, seed=4, day=DAY))
    for job in rng.sample(jobs, 300):
        job.update(rng.choice([{"day": 0}, {"onSiteSeconds": 0}, {"itemsToPickup": 2}, {"windowEnd": 2400}]))
    for job in rng.sample(jobs, 100):
        for name in ("destinationLat", "destinationLng"):
            job.pop(name)
    for first in range(0, len(jobs), 1_500):
        chunk = jobs[first : first + 1_500]
        columns = columns_of([orjson.dumps(job) for job in chunk])
        assert columns is not None
        found = taken(columned.members, columned.decide_columns(columns))
        for one, other in zip(whole.decide(chunk), found, strict=True):
            assert one.worker == (other.worker if other else None)
            if other:
                assert one.position == other.position
                assert other[1:3] + other[4:] == pytest.approx((one.distance_m, one.added_travel_s, one.start_s))


@pytest.mark.parametrize(
    "more",
    [
        {"worker": "ann@example.com"},
        {"receiverUid": "u1"},
        {"customFields": [{"key": "skills", "val": "gas"}]},
        {"custom_skills": "gas"},
        {"custom_excluded_workers": "bob@example.com"},
        {"number": 3},
        {"scheduledStart": 1},
        {"tsCreated": 1},
    ],
)
def test_a_job_that_says_more_than_columns_hold_is_no_column(more: dict[str, Any]) -> None:
    job = {"uidSecondary": "A", "destinationLat": 45.0, "destinationLng": 7.0}
    assert columns_of([orjson.dumps(job)]) is not None
    assert columns_of([orjson.dumps(job), orjson.dumps(job | more)]) is None
