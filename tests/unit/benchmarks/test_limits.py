"""The benchmark of shared limits counts at the server, and asks a real row for slots."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import limits
from benchmarks.costs import database
from tests import postgres


@pytest.fixture(scope="module")
def server_dsn() -> str:
    if postgres.MISSING:
        pytest.skip(postgres.MISSING)
    return postgres.admin_dsn()


def test_daemons_on_one_database_are_counted_together_and_each_by_itself(server_dsn: str) -> None:
    with database(server_dsn) as dsn:
        row = limits.in_use([(dsn, "north"), (dsn, "east")], "20/s", steady_s=2.0)
    assert row["passed"] == 0
    assert 10 < row["requests_per_s"] <= 21
    assert row["used"] == pytest.approx(row["requests_per_s"] / 20, abs=0.01)
    assert 0 < row["least_share"] <= 0.5


def test_slots_are_asked_for_one_after_the_other_and_at_once(server_dsn: str) -> None:
    with database(server_dsn) as dsn:
        for asking in (1, 3):
            row = asyncio.run(limits.take(dsn, asking, 60))
            assert row["slots_per_s"] > 1
            assert 0 < row["p50_ms"] <= row["p99_ms"]
