"""How fast the engine decides, as ratios to plain index queries on the same points in the same run.

    python -m benchmarks.engine            a table
    python -m benchmarks.engine --json     one JSON document
    python -m benchmarks.engine --quick    small sizes, for a look

Rates are jobs per second of CPU time of the one thread (so that other processes do not count), medians of the runs; the
references are `BallTree.query(k=1)` (haversine) and `cKDTree.query(k=1)` (unit vectors), both without any rule, over
the same destinations. The online case is wall-clock time per call from Python.
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
from math import asin, cos, sin, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.neighbors import BallTree

import engine
from engine import Engine, EngineSettings

Floats = npt.NDArray[np.float64]

NOW = 1_767_528_000.0
"""Sunday, 4 January 2026, noon UTC: the jobs are for the Monday after it."""
DAY = 20260105
WORK_WEEK = {day: {"start": 800, "end": 1800} for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
CITIES = 60
SPEED_M_S = 50.0 / 3.6 / 1.3
"""A car's metres of great circle per second, circuity included."""


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
    """One job at a time from Python, as dicts: microseconds per call by the wall clock."""
    case = Case("online", members, calls + 100, (5, 15))
    spots, jobs = world(case, 0)
    fleet = Engine(accounts(spots), now=NOW)
    rows = [
        {"uidSecondary": f"k{i}", **{name: column[i].item() for name, column in jobs.items()}} for i in range(case.jobs)
    ]
    took = []
    for row in rows:
        batch = [row]
        start = time.perf_counter()
        fleet.decide(batch)
        took.append((time.perf_counter() - start) * 1e6)
    took = sorted(took[100:])
    return {
        "case": "online",
        "members": members,
        "calls": calls,
        "median_us": round(statistics.median(took), 1),
        "p99_us": round(took[int(len(took) * 0.99)], 1),
        "at_most_us": {"median": 60, "p99": 500},
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


class UserLoop:
    """Nearest member whose day has room, the straightforward way: shift 8 to 18, windows, one route per member."""

    def __init__(self, spots: Floats) -> None:
        self.tree = BallTree(np.radians(spots), metric="haversine")
        self.angles = np.radians(spots)
        self.routes: list[list[tuple[float, ...]]] = [[] for _ in spots]

    def run(self, columns: dict[str, npt.NDArray[Any]], *, brute: bool) -> None:
        """Decide all jobs."""
        angles = np.radians(np.column_stack([columns["destinationLat"], columns["destinationLng"]]))
        for i, (lat, lng) in enumerate(angles.tolist()):
            start, end = int(columns["windowStart"][i]), int(columns["windowEnd"][i])
            opens, closes = (float(v // 100 * 3600 + v % 100 * 60) for v in (start, end))
            self.place((lat, lng, opens, closes, float(columns["onSiteSeconds"][i])), brute=brute)

    def place(self, job: tuple[float, ...], *, brute: bool) -> None:
        """Try the nearest members, ten more at a time."""
        if brute:
            lat, lng = self.angles.T
            h = np.sin((lat - job[0]) / 2) ** 2 + np.cos(lat) * np.cos(job[0]) * np.sin((lng - job[1]) / 2) ** 2
            if any(self.insert(int(member), job) for member in np.argsort(h)):
                return
        k = 10
        while k < len(self.routes):
            for member in self.tree.query([job[:2]], k=k, return_distance=False)[0][k - 10 :]:
                if self.insert(int(member), job):
                    return
            k += 10

    def insert(self, member: int, job: tuple[float, ...]) -> bool:
        """Put the job where it adds least, if it fits."""
        route = self.routes[member]
        plans = [(*route[:p], job, *route[p:]) for p in range(len(route) + 1)]
        walked = [(length, list(plan)) for plan in plans if (length := self.walk(member, plan)) is not None]
        if not walked:
            return False
        self.routes[member] = min(walked, key=lambda entry: entry[0])[1]
        return True

    def walk(self, member: int, plan: tuple[tuple[float, ...], ...]) -> float | None:
        """Travel of a day in seconds, None when something is late."""
        lat, lng = self.angles[member].tolist()
        clock, travel = 8 * 3600.0, 0.0
        for to_lat, to_lng, opens, closes, on_site in plan:
            h = sin((to_lat - lat) / 2) ** 2 + cos(lat) * cos(to_lat) * sin((to_lng - lng) / 2) ** 2
            leg = 2 * 6_371_008.8 * asin(sqrt(h)) / SPEED_M_S
            travel += leg
            clock = max(clock + leg, opens)
            if clock > closes:
                return None
            clock += on_site
            lat, lng = to_lat, to_lng
        return travel if clock <= 18 * 3600 else None


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
    note(growth((1000 // shrink, 10_000 // shrink, 100_000 // shrink), runs))
    note(by_hand(1000 // shrink, 10_000 // shrink))
    if options.json:
        json.dump({"benchmark": "engine", "quick": options.quick, "rows": rows}, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
