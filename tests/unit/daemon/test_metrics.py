"""`/metrics` of a daemon that has done work: what it did is in there, in names by Prometheus' rules."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.daemon.scrape import figures, labels
from tests.unit.daemon.worked import worked


async def test_what_was_done_is_told(tmp_path: Path) -> None:
    async with worked(tmp_path) as (_, text):
        seen = figures(text)
    assert seen["dispatcher_jobs"]["default", "confirmed"] == 30
    assert seen["dispatcher_job_moves_total"]["default", "confirmed"] == 30
    assert seen["dispatcher_job_moves_total"]["default", "sending"] == 30
    requests = seen["dispatcher_create_requests_total"]["default",]
    assert requests >= 3
    for name in ("batch_jobs", "request_seconds", "limiter_wait_seconds"):
        assert seen[f"dispatcher_{name}_count"]["default",] == requests
    assert seen["dispatcher_batch_jobs_sum"]["default",] == 30
    assert seen["dispatcher_decision_jobs_sum"]["default",] == 30
    assert seen["dispatcher_decision_fit_tests_count"]["default",] == 30
    assert seen["dispatcher_decision_seconds_sum"]["default",] > 0
    assert seen["dispatcher_fleet_members"]["default",] == 20
    assert seen["dispatcher_fleet_usable"]["default",] == 1
    assert seen["dispatcher_spool_commit_seconds_count"][()] >= 4
    assert seen["dispatcher_spool_bytes"]["data",] > 0
    assert seen["dispatcher_spool_disk_free_bytes"][()] > seen["dispatcher_spool_disk_floor_bytes"][()]
    assert (seen["dispatcher_denied"]["default",], seen["dispatcher_breaker_open"]["default",]) == (0, 0)


async def test_names_and_units_follow_prometheus_rules(tmp_path: Path) -> None:
    async with worked(tmp_path) as (_, text):
        families: list[Metric] = list(text_string_to_metric_families(text))
    ours = [family for family in families if family.name.startswith("dispatcher_")]
    assert len(ours) > 30
    assert len({family.name for family in families}) == len(families)
    for family in ours:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
        assert family.documentation.endswith(".")
        assert not re.search(r"_(ms|millis|milliseconds|minutes|kb|mb)\b", family.name)
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name


async def test_an_account_without_an_engine_has_no_figures_of_a_fleet(tmp_path: Path) -> None:
    async with worked(tmp_path, policy="none", fallback="unassigned") as (_, text):
        seen = figures(text)
    assert not [name for name in seen if "fleet" in name]
    assert seen["dispatcher_decision_fit_tests_count"] == {}
    assert seen["dispatcher_decisions_total"]["default", "fallback"] == 30


async def test_a_spool_without_a_file_has_no_figures_of_one(tmp_path: Path) -> None:
    async with worked(tmp_path, spool="memory:", policy="none") as (_, text):
        assert "dispatcher_spool" not in text


async def test_labels_are_few_and_closed(tmp_path: Path) -> None:
    """A label with a value per job or client would grow without end in whoever stores the figures."""
    async with worked(tmp_path) as (_, text):
        assert labels(text) <= {
            "account",
            "state",
            "outcome",
            "reason",
            "kind",
            "route",
            "code",
            "le",
            "file",
            "version",
        }
        assert "K1" not in text
