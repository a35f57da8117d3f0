"""Comparing plans: ratios over the instances that both solvers place alike, tables, and solvers that are not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import quality
from benchmarks.quality_report import tables
from benchmarks.vrptw import generate, write

ROOT = Path(__file__).resolve().parents[3]


def row(name: str, solver: str, *, placed: int = 100, distance: float = 1.0, solve_s: float = 1.0) -> dict[str, Any]:
    return {
        "row": name, "shape": name[:2], "customers": 100, "solver": solver, "placed": placed, "distance": distance,
        "routes": 9, "solve_s": solve_s, "total_s": solve_s,
    }  # fmt: skip


def test_ratios_are_geometric_means_over_instances_placed_alike() -> None:
    """Distances of 0.5 and 2 times cancel out; the instance with fewer placed counts for `placed` and time alone."""
    rows = [
        row("R1-100-1", "regret", distance=50.0), row("R1-100-1", "ortools", distance=100.0),
        row("R1-100-2", "regret", distance=200.0, solve_s=4.0), row("R1-100-2", "ortools", distance=100.0),
        row("R1-100-3", "regret", placed=90, distance=1.0, solve_s=2.0), row("R1-100-3", "ortools", distance=100.0),
    ]  # fmt: skip
    ratios = quality.compared(rows)
    label = "regret / ortools, 100 customers"
    assert ratios[f"{label}: distance"] == pytest.approx(1.0)
    assert ratios[f"{label}: distance, worst"] == pytest.approx(2.0)
    assert ratios[f"{label}: time"] == pytest.approx(2.0)
    assert ratios[f"{label}: placed"] == pytest.approx(290 / 300)
    assert ratios["improve / vroom, 100 customers: distance"] is None


def test_tables_show_means_over_seeds_and_the_cities() -> None:
    """One line per shape and size, one per city and plan."""
    city = {
        "row": "milan", "plan": "nearest", "jobs": 99, "placed": 90, "road_km": 900.0, "members": 10,
        "from_base_km": 4.0, "solve_s": 0.01,
    }  # fmt: skip
    one, two = row("R1-100-1", "regret", distance=100.0), row("R1-100-2", "regret", distance=300.0, placed=90)
    text = tables([one, two, city])
    assert "| R1, 100 | 200 · 1 s (95.0 % placed) |" in text
    assert "| milan | nearest | 90 of 99 | 900 | 10.00 | 10 | 0.010 |" in text


def test_a_solver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are left out."""
    monkeypatch.setattr(quality, "has", lambda package: package != "vroom")
    assert quality.missing() == ["vroom"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_measures_an_instance_from_a_file(tmp_path: Path) -> None:
    """A file of the published format goes in, one JSON document with the engine's rows comes out."""
    file = tmp_path / "instance.txt"
    file.write_text(write(generate("R2", 25, seed=1)))
    command = [sys.executable, "-m", "benchmarks.quality", "--json", "--runs", "1", "--instance", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=True)
    document = json.loads(done.stdout)
    rows = {each["solver"]: each for each in document["rows"] if "solver" in each}
    assert {"nearest", "least_detour", "regret", "improve"} <= set(rows)
    assert rows["improve"]["placed"] == 25
    assert rows["improve"]["distance"] <= rows["regret"]["distance"] + 0.1
