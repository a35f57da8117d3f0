"""What a large load needs: the formulas keep to their sense, and the document shows what they give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.load import BUSY, DAY_S, Load, capacities, plan
from benchmarks.marked import filled, markdown
from benchmarks.scale import COSTS, DOCUMENT, LARGE, read_costs, tables

MEASURED = read_costs(COSTS)
LOAD = Load(jobs_per_day=1e6, accounts=10)


def test_the_document_shows_what_the_measured_costs_give() -> None:
    """`python -m benchmarks.scale --write` puts it right."""
    text = DOCUMENT.read_text("utf-8")
    assert filled(text, tables(COSTS, Load(jobs_per_day=LARGE, accounts=1))) == text


def test_twice_the_jobs_need_twice_of_what_jobs_need() -> None:
    once, twice = plan(MEASURED, LOAD), plan(MEASURED, replace(LOAD, jobs_per_day=2e6))
    assert twice.peak_per_s == pytest.approx(2 * once.peak_per_s)
    assert twice.wal_mb_s == pytest.approx(2 * once.wal_mb_s)
    assert twice.stored_gb == pytest.approx(2 * once.stored_gb)
    assert twice.limit_per_s <= 2 * once.limit_per_s
    assert twice.daemons >= once.daemons


def test_a_peak_needs_more_at_once_and_no_more_in_a_day() -> None:
    flat, steep = (plan(MEASURED, replace(LOAD, peak=peak)) for peak in (1.0, 10.0))
    assert steep.peak_per_s == pytest.approx(10 * flat.peak_per_s)
    assert steep.wal_gb_per_day == flat.wal_gb_per_day
    assert steep.stored_gb == flat.stored_gb


def test_a_database_that_is_too_small_is_divided_by_account() -> None:
    """As many as carry it; each has the accounts of its group alone."""
    heavy = replace(MEASURED, job_db_cpu_ms=10.0)
    large = plan(heavy, Load(jobs_per_day=1e8, accounts=1000))
    cores = 1e8 / DAY_S * 5.0 * 10.0 / 1000
    assert large.databases >= cores / (16 * BUSY)
    assert large.short == ""


def test_what_cannot_be_divided_is_said_to_be_short() -> None:
    """One account has one leader and one database."""
    slow = plan(replace(MEASURED, decide_cpu_ms=10.0, job_db_cpu_ms=10.0), Load(jobs_per_day=1e8, accounts=1))
    assert "the database of an account" in slow.short
    assert "the leader of an account" in slow.short
    assert slow.narrow.startswith("the leader of an account: ")


def test_idle_accounts_alone_can_need_more_than_one_group() -> None:
    idle = plan(replace(MEASURED, idle_daemon_cpu_ms=1.5), Load(jobs_per_day=1.0, accounts=1000))
    assert idle.databases > 1
    assert idle.narrow.startswith("idle accounts in a daemon: ")


def test_what_one_carries_is_the_share_of_it_over_its_cost() -> None:
    rates = {name: rate for name, _, rate in capacities(MEASURED, LOAD)}
    assert rates["leader of an account, deciding"] == pytest.approx(BUSY * 1000 / MEASURED.decide_cpu_ms)
    assert rates["limit of 10/s"] == pytest.approx(10 * 0.75 * 200)
    assert rates["daemon that accepts and sends"] > rates["daemon that does it all"]
    assert rates["daemon that accepts and sends"] > rates["daemon, requests of one job"]


def test_a_cost_that_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    file.write_text('{"costs": {}}')
    with pytest.raises(SystemExit, match="request_transactions"):
        read_costs(file)


def test_a_table_without_a_place_is_an_error_and_others_stay() -> None:
    text = "a\n<!-- table:one -->\nold\n<!-- /table -->\n<!-- table:two -->\nstays\n<!-- /table -->\n"
    found = filled(text, {"one": markdown([("x", "y"), ("1", "2")])})
    assert "| x | y |\n|---|---|\n| 1 | 2 |\n<!-- /table -->" in found
    assert "old" not in found
    assert "stays" in found
    with pytest.raises(ValueError, match="no place for three"):
        filled(text, {"three": ""})
