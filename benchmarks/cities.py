"""Four Italian cities of home visits, planned under every policy."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from engine import Engine, EngineSettings

CITIES: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "italy"
NAMES: Final = ("milan", "udine", "rome", "venice")
DAY: Final = 20261130
THE_DAY_BEFORE: Final = datetime(2026, 11, 29, 8, 0, tzinfo=ZoneInfo("Europe/Rome")).timestamp()

CIRCUITY: Final = 1.3

PLANS: Final[dict[str, dict[str, Any]]] = {
    "nearest": {"policy": "nearest"},
    "nearest, regret": {"policy": "nearest", "order": "regret"},
    "nearest, regret, improve": {"policy": "nearest", "order": "regret", "improve_s": 0.25},
    "least_detour": {"policy": "least_detour"},
    "least_detour, regret": {"policy": "least_detour", "order": "regret"},
    "least_detour, regret, improve": {"policy": "least_detour", "order": "regret", "improve_s": 0.25},
}


def city_rows(plans: Mapping[str, Mapping[str, Any]], *, runs: int) -> list[dict[str, Any]]:
    """One row per city and plan, its median run: jobs placed, kilometres of road, members used, seconds."""
    rows = []
    for name in NAMES:
        replies = {
            part: json.loads((CITIES / name / f"{part}.json").read_text()) for part in ("members", "jobs", "company")
        }
        accounts, batch = replies["members"]["accounts"], replies["jobs"]["data"]["jobs"]
        for plan, fields in plans.items():
            results = []
            for _ in range(runs):
                settings = EngineSettings(**fields)
                engine = Engine(accounts, company=replies["company"]["company"], settings=settings, now=THE_DAY_BEFORE)
                begin = time.perf_counter()
                decisions = engine.decide(batch)
                seconds = time.perf_counter() - begin
                results.append((seconds, decisions, road_km(engine, accounts, batch)))
            seconds, decisions, road = sorted(results, key=lambda each: each[0])[len(results) // 2]
            placed = [each for each in decisions if each.worker is not None]
            rows.append(
                {
                    "row": name, "plan": plan, "jobs": len(batch), "placed": len(placed),
                    "road_km": round(road, 1), "members": len({each.worker for each in placed}),
                    "from_base_km": round(statistics.fmean(each.distance_m or 0.0 for each in placed) / 1000, 2),
                    "solve_s": seconds,
                }
            )  # fmt: skip
    return rows


def road_km(engine: Engine, accounts: Sequence[Mapping[str, Any]], batch: Sequence[Mapping[str, Any]]) -> float:
    """Kilometres of road of all day routes with a stop, from start to end, worked out here from the places alone."""
    places = {job["uidSecondary"]: (job["destinationLat"], job["destinationLng"]) for job in batch}
    total = 0.0
    for account in accounts:
        stops = [places[stop.key or ""] for stop in engine.route(account["username"], DAY)]
        if stops:
            start = (account["route_start_lat"], account["route_start_lng"])
            end = (account["route_end_lat"], account["route_end_lng"])
            total += sum(kilometres(a, b) for a, b in pairwise([start, *stops, end]))
    return total * CIRCUITY


def kilometres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great circle between two places in degrees."""
    lat1, lng1, lat2, lng2 = map(radians, (*a, *b))
    h = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lng2 - lng1) / 2) ** 2
    return 2 * 6371.0088 * asin(sqrt(h))
