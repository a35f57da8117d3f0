"""What one would write by hand: near members from an index, their days tested in Python, the first that fits."""

from __future__ import annotations

from math import asin, cos, sin, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import BallTree

Floats = npt.NDArray[np.float64]

SPEED_M_S = 50.0 / 3.6 / 1.3
"""A car's metres of great circle per second, circuity included."""


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
