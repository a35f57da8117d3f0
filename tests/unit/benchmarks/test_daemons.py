"""The benchmark of several daemons: every job through each of them is counted, and what is not installed is named."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import daemons, queues
from tests import postgres


@pytest.fixture(scope="module")
def server_dsn() -> str:
    if postgres.MISSING:
        pytest.skip(postgres.MISSING)
    return postgres.admin_dsn()


def test_two_daemons_bring_every_job_through_and_say_what_it_took(server_dsn: str) -> None:
    """Each job is written at least five times: its content, its state, and three moves."""
    row = daemons.through_daemons(server_dsn, 2, 1000, "none")
    assert row["jobs_per_s"] > 0
    assert row["rows_written_per_job"] > 2  # the last ones may be told later
    assert row["wal_bytes_per_job"] > 500
    assert 0 < row["transactions_per_1000_jobs"] < 1000
    assert row["accept_p50_ms"] <= row["accept_p99_ms"]
    assert row["cores"] > 0


@pytest.mark.parametrize("name", queues.QUEUES)
def test_a_queue_has_one_task_per_job(server_dsn: str, name: str) -> None:
    if why := queues.missing(name):
        pytest.skip(why)
    row = daemons.through_queue(server_dsn, name, 100)
    assert row["jobs_per_s"] > 0
    assert row["workers_cpu_ms_per_job"] > 0


def test_a_queue_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(queues.NEEDS, "pgqueuer", ("nowhere_to_be_found", "asyncio"))
    assert queues.missing("pgqueuer") == "not installed: nowhere_to_be_found (pip install '.[bench,postgres]')"


def test_ratios_are_of_rows_measured_side_by_side() -> None:
    """The second run met a machine that was twice as slow for all."""
    one, two = "1 daemon, policy none", "2 daemons, policy none"
    queue = "pgqueuer, one task per job"
    figures = {"database_cpu_ms_per_job": 0.1, "wal_bytes_per_job": 1000}
    runs: dict[str, list[dict[str, Any]]] = {
        one: [figures | {"jobs_per_s": 8000}, figures | {"jobs_per_s": 4000}],
        two: [{"jobs_per_s": 12000}, {"jobs_per_s": 6000}],
        queue: [
            {"jobs_per_s": 800, "database_cpu_ms_per_job": 1.0, "wal_bytes_per_job": 3000},
            {"jobs_per_s": 400, "database_cpu_ms_per_job": 1.0, "wal_bytes_per_job": 3000},
        ],
    }
    found = daemons.ratios(runs)
    assert found["2 daemons / 1"] == 1.5
    assert found["3 daemons / 1"] is None
    assert found["1 daemon / pgqueuer"] == 10
    assert found["1 daemon / procrastinate"] is None
    assert found["log per job, pgqueuer / 1 daemon"] == 3
