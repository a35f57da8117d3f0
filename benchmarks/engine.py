"""How fast the engine decides, as ratios to plain index queries on the same points in the same run.

    python -m benchmarks.engine            a table
    python -m benchmarks.engine --json     one JSON document
    python -m benchmarks.engine --quick    small sizes, for a look

Rates are jobs per second of CPU time of the one thread (so that other processes do not count), medians of the runs; the
references are `BallTree.query(k=1)` (haversine) and `cKDTree.query(k=1)` (unit vectors), both without any rule, over
the same destinations. The online case is per call from Python, by the wall clock and in CPU time.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.neighbors import BallTree

import engine
from benchmarks.user_loop import UserLoop
from engine import Engine, EngineSettings

Floats = npt.NDArray[np.float64]

NOW = 1_767_528_000.0
"""Sunday, 4 January 2026, noon UTC: the jobs are for the Monday after it."""
DAY = 20260105
WORK_WEEK = {day: {"start": 800, "end": 1800} for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
CITIES = 60


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table: so many members and jobs, minutes on site (least, most), and the ratio to be reached."""

    name: str
    members: int
    jobs: int
    on_site: tuple[int, int]
    policy: str = "nearest"
    at_least: float = 1.0


CASES = (
    Case("nearest, room", 10_000, 100_000, (5, 15)),
    Case("nearest, saturated", 10_000, 300_000, (23, 33), at_least=0.5),
    Case("least_detour", 10_000, 100_000, (5, 15), policy="least_detour", at_least=0.2),
    Case("nearest, large", 100_000, 1_000_000, (5, 15)),
)


def places(rng: np.random.Generator, cities: Floats, weights: Floats, count: int) -> Floats:
    """Places around cities of different sizes, (count, 2) degrees."""
    centres = cities[rng.choice(len(cities), count, p=weights)]
    return np.asarray(np.round(centres + rng.normal(0.0, 1.0, (count, 2)) * (0.08, 0.12), 5))


def world(case: Case, seed: int) -> tuple[Floats, dict[str, npt.NDArray[Any]]]:
    """Members' places, and jobs with two-hour windows as columns."""
    rng = np.random.default_rng(seed)
    cities = np.column_stack([rng.uniform(44, 54, CITIES), rng.uniform(0, 20, CITIES)])
    weights = rng.pareto(1.5, CITIES) + 0.3
    weights /= weights.sum()
    members, jobs = places(rng, cities, weights, case.members), places(rng, cities, weights, case.jobs)
    opens = rng.integers(16, 33, case.jobs)
    return members, {
        "destinationLat": jobs[:, 0],
        "destinationLng": jobs[:, 1],
        "day": np.full(case.jobs, DAY),
        "windowStart": opens // 2 * 100 + opens % 2 * 30,
        "windowEnd": (opens + 4) // 2 * 100 + opens % 2 * 30,
        "onSiteSeconds": rng.integers(case.on_site[0], case.on_site[1] + 1, case.jobs) * 60,
    }


def accounts(members: Floats) -> list[dict[str, Any]]:
    """Members as `getaccounts` gives them."""
    return [
        {
            "username": f"m{i}",
            "role": "worker",
            "location": {"lat": lat, "lng": lng, "ts": 1},
            "working_hours": WORK_WEEK,
        }
        for i, (lat, lng) in enumerate(members.tolist())
    ]


def seconds(action: Callable[[], object]) -> float:
    """CPU time of this thread for an action."""
    start = time.thread_time()
    action()
    return time.thread_time() - start


def references(members: Floats, jobs: dict[str, npt.NDArray[Any]], queries: int) -> dict[str, float]:
    """Queries per second of the plain indexes."""
    ball, cube = np.radians(members), unit(members)
    asked = np.column_stack([jobs["destinationLat"], jobs["destinationLng"]])[:queries]
    tree, kd = BallTree(ball, metric="haversine"), cKDTree(cube)
    angles, vectors = np.radians(asked), unit(asked)
    return {
        "BallTree k=1": len(asked) / seconds(lambda: tree.query(angles, k=1)),
        "cKDTree k=1": len(asked) / seconds(lambda: kd.query(vectors, k=1)),
    }


def unit(degrees: Floats) -> Floats:
    """Unit vectors, (n, 3)."""
    lat, lng = np.radians(degrees).T
    return np.column_stack([np.cos(lat) * np.cos(lng), np.cos(lat) * np.sin(lng), np.sin(lat)])


def measure(case: Case, runs: int, queries: int) -> dict[str, Any]:
    """One row: the engine's rate beside the references', medians of the runs."""
    rates, ball, cube, tests, placed = [], [], [], [], []
    for seed in range(runs):
        members, jobs = world(case, seed)
        fleet = Engine(accounts(members), settings=EngineSettings(policy=case.policy), now=NOW)
        fleet.decide_columns({name: column[:1] for name, column in jobs.items()})
        start = time.thread_time()
        found = fleet.decide_columns(jobs)
        rates.append(case.jobs / (time.thread_time() - start))
        plain = references(members, jobs, queries)
        ball.append(plain["BallTree k=1"])
        cube.append(plain["cKDTree k=1"])
        tests.append(float(found.tests.mean()))
        placed.append(float((found.member >= 0).mean()))
    return {
        "case": case.name,
        "members": case.members,
        "jobs": case.jobs,
        "runs": runs,
        "placed": round(statistics.median(placed), 4),
        "tests_per_job": round(statistics.median(tests), 2),
        "jobs_per_s": round(statistics.median(rates)),
        "balltree_per_s": round(statistics.median(ball)),
        "ckdtree_per_s": round(statistics.median(cube)),
        "ratio_balltree": round(statistics.median(r / b for r, b in zip(rates, ball, strict=True)), 3),
        "ratio_ckdtree": round(statistics.median(r / c for r, c in zip(rates, cube, strict=True)), 3),
        "at_least": case.at_least,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def online(members: int, calls: int) -> dict[str, Any]:
    """One job at a time from Python, as dicts: microseconds per call, by the wall clock and of CPU time."""
    case = Case("online", members, calls + 100, (5, 15))
    spots, jobs = world(case, 0)
    fleet = Engine(accounts(spots), now=NOW)
    rows = [
        {"uidSecondary": f"k{i}", **{name: column[i].item() for name, column in jobs.items()}} for i in range(case.jobs)
    ]
    wall, cpu = [], []
    for row in rows:
        batch = [row]
        start, begin = time.perf_counter(), time.thread_time()
        fleet.decide(batch)
        cpu.append((time.thread_time() - begin) * 1e6)
        wall.append((time.perf_counter() - start) * 1e6)
    wall, cpu = sorted(wall[100:]), sorted(cpu[100:])
    return {
        "case": "online",
        "members": members,
        "calls": calls,
        "median_us": round(statistics.median(wall), 1),
        "p99_us": round(wall[int(calls * 0.99)], 1),
        "cpu_median_us": round(statistics.median(cpu), 1),
        "cpu_p99_us": round(cpu[int(calls * 0.99)], 1),
        "at_most_us": {"median": 60, "p99": 500},
    }


def live(members: int, rounds: int) -> dict[str, Any]:
    """Members who drive about in their city while jobs come in and time goes on: CPU time of each kind of change."""
    case = Case("live", members, rounds, (5, 15))
    spots, columns = world(case, 0)
    fleet = Engine(accounts(spots), now=NOW)
    rows = [{name: column[i].item() for name, column in columns.items()} for i in range(rounds)]
    rng = np.random.default_rng(1)
    moves = rng.integers(0, members, (rounds, 10))
    drift = rng.normal(0.0, 0.02, (rounds, 10, 2))
    fleet.decide(rows[:1])
    moving = deciding = ticking = 0.0
    for k, row in enumerate(rows):
        for member, shift in zip(moves[k].tolist(), drift[k], strict=True):
            spots[member] += shift
            lat, lng = spots[member].tolist()
            moving += seconds(lambda i=member, y=lat, x=lng: fleet.update_location(f"m{i}", y, x))  # type: ignore[misc]
        deciding += seconds(lambda batch=[row]: fleet.decide(batch))  # type: ignore[misc]
        if k % 100 == 0:
            ticking += seconds(lambda moment=NOW + k: fleet.advance(moment))  # type: ignore[misc]
    return {
        "case": "live",
        "members": members,
        "update_location_us": round(moving / rounds / 10 * 1e6, 1),
        "decide_us": round(deciding / rounds * 1e6, 1),
        "advance_us": round(ticking / len(range(0, rounds, 100)) * 1e6, 1),
        "updates_per_s_at_least": 1000,
    }


def explaining(members: int, rounds: int) -> dict[str, Any]:
    """Decisions of an engine that is asked to explain beside one that is not: what explanations cost the others.

    Two engines get the same jobs in turn, and take turns in going first; one of them explains every 20th decision.
    The explanations' own time does not count, what they do to the decisions after them does.
    """
    case = Case("explanations", members, rounds, (5, 15))
    spots, columns = world(case, 0)
    rows = [
        {"uidSecondary": f"k{i}", **{name: column[i].item() for name, column in columns.items()}} for i in range(rounds)
    ]
    quiet, asked = (Engine(accounts(spots), now=NOW) for _ in range(2))
    took: dict[Engine, list[float]] = {quiet: [], asked: []}
    told = []
    for k, row in enumerate(rows):
        for fleet in (quiet, asked) if k % 2 else (asked, quiet):
            took[fleet].append(seconds(lambda f=fleet, batch=[row]: f.decide(batch)))  # type: ignore[misc]
        if k % 20 == 0:
            told.append(seconds(lambda job=row: asked.explain(job)))  # type: ignore[misc]
    # a hundred decisions at a time, so that single outliers of either side do not decide
    blocks = [range(first, first + 100) for first in range(100, rounds - 99, 100)]
    ratios = [sum(took[asked][k] for k in block) / sum(took[quiet][k] for k in block) for block in blocks]
    return {
        "case": "explanations",
        "members": members,
        "decisions": rounds,
        "explain_us": round(statistics.median(told) * 1e6, 1),
        "decide_us": round(statistics.median(took[quiet]) * 1e6, 1),
        "ratio": round(statistics.median(ratios), 3),
        "at_most": 1.05,
    }


def growth(sizes: tuple[int, ...], runs: int) -> dict[str, Any]:
    """Cost per job at ten jobs a member, by size of the fleet."""
    cost = {}
    for size in sizes:
        took = []
        for seed in range(runs):
            case = Case("growth", size, size * 10, (5, 15))
            members, jobs = world(case, seed)
            fleet = Engine(accounts(members), now=NOW)
            fleet.decide_columns({name: column[:1] for name, column in jobs.items()})
            took.append(seconds(lambda f=fleet, j=jobs: f.decide_columns(j)) / case.jobs * 1e6)  # type: ignore[misc]
        cost[size] = statistics.median(took)
    return {
        "case": "growth",
        "us_per_job": {str(size): round(us, 2) for size, us in cost.items()},
        "factor": round(cost[sizes[-1]] / cost[sizes[0]], 2),
        "at_most": 8,
    }


def by_hand(members: int, jobs: int) -> dict[str, Any]:
    """What one would write (near members from an index or numpy, tested in Python) beside the engine, same jobs."""
    case = Case("by hand", members, jobs, (5, 15))
    spots, columns = world(case, 0)
    fleet = Engine(accounts(spots), now=NOW)
    fleet.decide_columns({name: column[:1] for name, column in columns.items()})
    ours = jobs / seconds(lambda: fleet.decide_columns(columns))
    loop = jobs / seconds(lambda: UserLoop(spots).run(columns, brute=False))
    brute = jobs / seconds(lambda: UserLoop(spots).run(columns, brute=True))
    return {
        "case": "by hand",
        "members": members,
        "jobs": jobs,
        "engine_per_s": round(ours),
        "query_then_filter_per_s": round(loop),
        "numpy_brute_force_per_s": round(brute),
        "times_query_then_filter": round(ours / loop, 1),
        "times_numpy": round(ours / brute, 1),
        "at_least": 50,
    }


def show(row: dict[str, Any]) -> None:
    """One row for people."""
    print("  ".join(f"{name}={value}" for name, value in row.items()), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, one run")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    shrink, runs = (10, 1) if options.quick else (1, options.runs)
    engine.warm()
    rows: list[dict[str, Any]] = []

    def note(row: dict[str, Any]) -> None:
        rows.append(row)
        if not options.json:
            show(row)

    for case in CASES:
        smaller = Case(case.name, case.members // shrink, case.jobs // shrink, case.on_site, case.policy, case.at_least)
        note(measure(smaller, runs, 50_000 // shrink))
    note(online(10_000 // shrink, 5000 // shrink))
    note(live(10_000 // shrink, 2000 // shrink))
    note(explaining(10_000 // shrink, 5000 // shrink))
    note(growth((1000 // shrink, 10_000 // shrink, 100_000 // shrink), runs))
    note(by_hand(1000 // shrink, 10_000 // shrink))
    if options.json:
        json.dump({"benchmark": "engine", "quick": options.quick, "rows": rows}, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
