"""How good the plans are: routing instances against OR-Tools and VROOM, and four cities under every policy.

    python -m benchmarks.quality --json
    python -m benchmarks.quality --plot docs/quality.png --markdown docs/quality-tables.md

The instances are generated in Solomon's and Gehring and Homberger's shape; `--instance FILE` takes files of the
published sets instead. Every solver gets the same instance in the same run, and its routes are walked again by the
instance's own numbers.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.cities import CITIES, PLANS, city_rows
from benchmarks.quality_report import plot, tables
from benchmarks.rows import arguments, report
from benchmarks.solvers import Solved, by_engine, by_ortools, by_vroom, has
from benchmarks.vrptw import Instance, check, generate, in_minutes, read

KINDS: Final = ("C1", "C2", "R1", "R2", "RC1", "RC2")
SHORT: Final = ("C1", "R1", "RC1")
"""The kinds of the largest instances, unless `--full`: VROOM needs minutes for each of the others."""

SIZES: Final = {100: (1, 2, 3), 200: (1,), 400: (1,), 1000: (1,)}
"""Customers and the seeds of their instances."""

LARGE: Final = 400
"""From so many customers on one run per row: the references take seconds to minutes."""

REGRET: Final = {"policy": "least_detour", "order": "regret"}

SOLVERS: Final[dict[str, Callable[[Instance], Solved]]] = {
    "nearest": lambda instance: by_engine(instance, policy="nearest"),
    "least_detour": lambda instance: by_engine(instance, policy="least_detour"),
    "regret": lambda instance: by_engine(instance, **REGRET),
    "improve": lambda instance: by_engine(instance, **REGRET, improve_s=0.25),
    "ortools": by_ortools,
    "vroom": by_vroom,
}
"""regret: least_detour with order = "regret"; improve: that with improve_s = 0.25; ortools: PARALLEL_CHEAPEST_INSERTION
without local search; vroom: exploration level 0, one thread."""

PAIRS: Final = (("regret", "ortools"), ("improve", "vroom"))
"""What is compared with what."""

Row = dict[str, Any]


def missing() -> list[str]:
    """Solvers whose package is not installed."""
    return [name for name, package in (("ortools", "ortools"), ("vroom", "vroom")) if not has(package)]


def generated(*, quick: bool, full: bool) -> Iterable[Instance]:
    """The instances of a run."""
    if quick:
        yield from (generate(kind, 100, seed=1) for kind in ("C1", "R2"))
        return
    for customers, seeds in SIZES.items():
        kinds = KINDS if full or customers <= LARGE else SHORT
        yield from (generate(kind, customers, seed=seed) for kind in kinds for seed in seeds)


def instance_rows(instance: Instance, names: Sequence[str], runs: int) -> list[Row]:
    """One row per solver: the run of median distance, and the median time."""
    rounded, _ = in_minutes(instance)
    rows = []
    for name in names:
        solved = [SOLVERS[name](rounded) for _ in range(runs if instance.customers < LARGE else 1)]
        checked = sorted(
            (check(rounded, each.routes) for each in solved), key=lambda each: (-each.placed, each.distance)
        )
        middle = checked[len(checked) // 2]
        rows.append(
            {
                "row": instance.name, "shape": instance.name.split("-")[0], "customers": instance.customers,
                "solver": name, "placed": middle.placed, "distance": round(middle.distance, 1), "routes": middle.routes,
                "solve_s": sorted(each.solve_s for each in solved)[len(solved) // 2],
                "total_s": sorted(each.seconds for each in solved)[len(solved) // 2],
            }
        )  # fmt: skip
        print(f"  {instance.name} {name}: {rows[-1]['placed']} placed, {rows[-1]['distance']}", file=sys.stderr)
    return rows


def compared(rows: Sequence[Row]) -> dict[str, float | None]:
    """Per size and pair: distance (over the instances where both place equally many), time, jobs placed."""
    ratios: dict[str, float | None] = {}
    table = {(row["row"], row["solver"]): row for row in rows}
    for ours, theirs in PAIRS:
        for customers in sorted({row["customers"] for row in rows}):
            names = {row["row"]: None for row in rows if row["customers"] == customers}
            pairs = [(table.get((name, ours)), table.get((name, theirs))) for name in names]
            both = [(one, two) for one, two in pairs if one is not None and two is not None]
            label = f"{ours} / {theirs}, {customers} customers"
            equal = [(one, two) for one, two in both if one["placed"] == two["placed"]]
            distances = [one["distance"] / two["distance"] for one, two in equal]
            times = [one["solve_s"] / two["solve_s"] for one, two in both]
            ratios[f"{label}: distance"] = mean(distances)
            ratios[f"{label}: distance, worst"] = max(distances, default=None)
            ratios[f"{label}: time"] = mean(times)
            ratios[f"{label}: time, worst"] = max(times, default=None)
            ratios[f"{label}: placed"] = (
                sum(one["placed"] for one, _ in both) / sum(two["placed"] for _, two in both) if both else None
            )
    return ratios


def mean(values: Sequence[float]) -> float | None:
    """The geometric mean, None of nothing."""
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if values else None


def main() -> None:
    parser = arguments("Quality of the plans.")
    parser.add_argument(
        "--instance", type=Path, action="append", help="a file in Solomon's format instead of generated ones"
    )
    parser.add_argument("--full", action="store_true", help="every kind of the largest instances too")
    parser.add_argument("--plot", type=Path, help="write the picture here (needs matplotlib)")
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    parser.add_argument("--from-json", type=Path, help="measure nothing, take the document of an earlier run")
    options = parser.parse_args()
    if options.from_json:
        document = json.loads(options.from_json.read_text())
        rows, ratios = document["rows"], document["ratios"]
    else:
        absent = missing()
        for name in absent:
            print(f"{name} is not installed: its rows are left out (pip install '.[bench]')", file=sys.stderr)
        names = [name for name in SOLVERS if name not in absent]
        by_engine(generate("R2", 25), **REGRET, improve_s=60.0)  # compiles
        instances = [read(path.read_text()) for path in options.instance or ()] or list(
            generated(quick=options.quick, full=options.full)
        )
        runs = 1 if options.quick else options.runs
        rows = [row for instance in instances for row in instance_rows(instance, names, runs)]
        ratios = compared(rows)
        if CITIES.is_dir():
            rows += city_rows(PLANS, runs=runs)
        else:
            print(f"the four cities are not at {CITIES}: their rows are left out", file=sys.stderr)
    if options.markdown:
        options.markdown.write_text(tables(rows))
    if options.plot:
        if not has("matplotlib"):
            parser.error("--plot needs matplotlib (pip install '.[bench]')")
        plot(rows, options.plot)
    report("quality", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
