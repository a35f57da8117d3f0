"""Vehicle routing with time windows: the text format of Solomon and of Gehring and Homberger, instances of their shape.

The generator follows Solomon's description ("Algorithms for the vehicle routing and scheduling problems with time
window constraints", 1987): customers in clusters (C), uniform (R) or half of each (RC); windows around a tour through
each cluster (C) or around random times (R); the longer horizon and the larger vehicle of class 2. Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HEADER: Final = "CUST NO.  XCOORD.   YCOORD.   DEMAND    READY TIME  DUE DATE   SERVICE TIME"

AREA: Final = {100: 100.0, 200: 140.0, 400: 200.0, 600: 300.0, 800: 400.0, 1000: 500.0}
"""Side of the square by number of customers, as in the published sets."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance; customer 0 is the depot. Distance and travel time are Euclidean, in the instance's own unit.

    Attributes:
        name: such as "R1-100-7".
        vehicles: how many there are.
        capacity: of each.
        xy: places, (customers + 1, 2).
        demand, service: of each customer, (customers + 1,).
        ready, due: the work starts between them; the depot's `due` ends the day, (customers + 1,).
    """

    name: str
    vehicles: int
    capacity: float
    xy: Floats
    demand: Floats
    ready: Floats
    due: Floats
    service: Floats

    @property
    def customers(self) -> int:
        """Without the depot."""
        return len(self.demand) - 1

    def distances(self) -> Floats:
        """All pairs, (customers + 1, customers + 1)."""
        difference = self.xy[:, None, :] - self.xy[None, :, :]
        return np.asarray(np.sqrt((difference**2).sum(axis=2)))


@dataclass(frozen=True, slots=True)
class Checked:
    """What a set of routes is worth.

    Attributes:
        placed: customers served.
        distance: of all routes, from the depot and back.
        routes: vehicles used.
    """

    placed: int
    distance: float
    routes: int


def read(text: str) -> Instance:
    """An instance in the text format of the published sets.

    Raises:
        ValueError: the text is not of that format.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    heads = [i for i, line in enumerate(lines) if line[0].upper() == "NUMBER"]
    rows = [i for i, line in enumerate(lines) if line[0].upper() in {"CUST", "CUSTOMER"}]
    if not lines or not heads or not rows:
        raise ValueError("not an instance: there is no VEHICLE or no CUSTOMER section")
    try:
        vehicles, capacity = lines[heads[0] + 1]
        table = np.array([[float(value) for value in line] for line in lines[rows[-1] + 1 :]])
    except ValueError as error:
        raise ValueError("not an instance: a line of numbers was expected") from error
    if table.ndim != 2 or table.shape[1] != 7 or not np.array_equal(table[:, 0], np.arange(len(table))):
        raise ValueError("not an instance: seven columns, customers numbered from 0, were expected")
    _, x, y, demand, ready, due, service = table.T
    return Instance(lines[0][0], int(vehicles), float(capacity), np.column_stack([x, y]), demand, ready, due, service)


def write(instance: Instance) -> str:
    """The instance in the text format of the published sets."""
    lines = [
        instance.name, "", "VEHICLE", "NUMBER     CAPACITY", f"{instance.vehicles:>5}{instance.capacity:>13g}", "",
        "CUSTOMER", HEADER, "",
    ]  # fmt: skip
    columns = zip(*instance.xy.T, instance.demand, instance.ready, instance.due, instance.service, strict=True)
    lines += [f"{i:>5}" + "".join(f"{value:>11.10g}" for value in row) for i, row in enumerate(columns)]
    return "\n".join(lines) + "\n"


def generate(kind: str, customers: int = 100, *, seed: int = 1) -> Instance:
    """An instance of Solomon's shape (100 customers) or Gehring and Homberger's (200 to 1000).

    Args:
        kind: "C1", "C2", "R1", "R2", "RC1" or "RC2".
        customers: how many.
        seed: the same one gives the same instance.
    """
    random = np.random.default_rng([customers, seed, *kind.encode()])
    layout, wide = kind[:-1], kind[-1] == "2"
    side = AREA.get(customers, 10.0 * np.sqrt(customers)) * (0.7 if layout == "R" and customers <= 100 else 1.0)
    depot = np.array([[side / 2, side / 2]]) if layout != "C" else np.array([[0.4 * side, 0.5 * side]])
    clustered = {"C": customers, "R": 0, "RC": customers // 2}[layout]
    xy = np.vstack([depot, _clusters(random, clustered, side), random.uniform(0, side, (customers - clustered, 2))])
    xy = np.round(xy)
    service = np.full(customers + 1, 90.0 if layout == "C" else 10.0)
    demand = random.choice([10.0, 20.0, 30.0, 40.0], customers + 1, p=[0.4, 0.3, 0.2, 0.1])
    if layout != "C":
        demand = np.clip(np.round(random.normal(15, 10, customers + 1)), 1, 41)
    away = np.sqrt(((xy - xy[0]) ** 2).sum(axis=1))
    horizon = _horizon(layout, wide, side, float(away.max()))
    earliest, latest = np.ceil(away), np.floor(horizon - away - service)
    centre = random.uniform(earliest, np.maximum(latest, earliest))
    half = np.full(customers + 1, {"C": 30.0, "R": 5.0, "RC": 15.0}[layout] * (4.0 if wide else 1.0))
    if seed % 2 == 0:
        half *= random.uniform(1.0, 4.0, customers + 1)
    if layout == "C":
        centre = _along_tours(random, xy, service, horizon, clustered)
    ready = np.clip(np.round(centre - half), 0, np.maximum(latest - 2 * half, 0))
    ready = np.minimum(ready, latest)
    due = np.clip(np.round(ready + 2 * half), earliest, latest)
    free = random.random(customers + 1) < (0.25 if seed % 3 == 0 else 0.0)
    ready, due = np.where(free, 0.0, np.round(ready)), np.where(free, latest, due)
    demand[0], service[0], ready[0], due[0] = 0.0, 0.0, 0.0, horizon
    capacity = {"C": 700.0, "R": 1000.0, "RC": 1000.0}[layout] if wide else 200.0
    return Instance(f"{kind}-{customers}-{seed}", customers // 4, capacity, xy, demand, ready, due, service)


def _clusters(random: np.random.Generator, count: int, side: float) -> Floats:
    """Places around centres, about ten at each."""
    centres = random.uniform(0.1 * side, 0.9 * side, (max(1, count // 10), 2))
    places = centres[np.arange(count) % len(centres)] + random.normal(0, 0.04 * side, (count, 2))
    return np.asarray(np.clip(places, 0, side))


def _horizon(layout: str, wide: bool, side: float, farthest: float) -> float:
    """End of the day: for 100 customers 230, 1000 (R), 240, 960 (RC), 1236, 3390 (C); larger areas take longer."""
    base = {"R": (230.0, 1000.0), "RC": (240.0, 960.0), "C": (1236.0, 3390.0)}[layout][wide]
    stretched = {"C": base + 2.0 * (side - 100.0), "R": base * side / 70.0, "RC": base * side / 90.0}[layout]
    return float(np.ceil(max(stretched, 2.0 * farthest + 100.0)))


def _along_tours(random: np.random.Generator, xy: Floats, service: Floats, horizon: float, count: int) -> Floats:
    """When a vehicle that visits each cluster's places one after the other would be there."""
    centre = np.zeros(len(xy))
    clusters = max(1, count // 10)
    for cluster in range(clusters):
        left = (np.flatnonzero(np.arange(count) % clusters == cluster) + 1).tolist()
        at, clock = 0, random.uniform(0.0, 30.0)
        while left:
            here = min(left, key=lambda other: float(np.hypot(*(xy[other] - xy[at]))))
            clock += float(np.hypot(*(xy[here] - xy[at])))
            home = float(np.hypot(*(xy[here] - xy[0])))
            if clock + service[here] + home > horizon:
                clock = home
            centre[here] = clock
            clock += service[here]
            left.remove(here)
            at = here
    return centre


def in_minutes(instance: Instance) -> tuple[Instance, float]:
    """The instance with windows that are whole minutes of one day, and the seconds that its unit stands for.

    Hellotracks' windows are HHMM, so the unit becomes a whole number of minutes, or a whole fraction of one when the
    horizon is longer than a day; then ready times are rounded up and due times down. All solvers get the rounded one.
    """
    horizon = float(instance.due[0])
    scale = float(1439 // horizon) if horizon <= 1439 else 1.0 / np.ceil(horizon / 1439)
    ready, due = np.ceil(instance.ready * scale - 1e-9) / scale, np.floor(instance.due * scale + 1e-9) / scale
    return replace(instance, ready=ready, due=np.maximum(due, ready)), 60.0 * scale


def check(instance: Instance, routes: Sequence[Sequence[int]], *, slack: float = 1e-3) -> Checked:
    """Walk the routes by the instance's own numbers.

    Args:
        instance: what was solved.
        routes: customers (from 1) per vehicle.
        slack: how late the rounding of a solver may be, in the instance's unit.

    Raises:
        ValueError: a route breaks a rule.
    """
    served = [customer for route in routes for customer in route]
    if len(set(served)) != len(served) or len(routes) > instance.vehicles:
        raise ValueError("a customer is served twice, or there are too many routes")
    away = instance.distances()
    total = 0.0
    for route in routes:
        clock, at, load = 0.0, 0, 0.0
        for customer in [*route, 0]:
            clock = max(clock + away[at, customer], instance.ready[customer])
            if clock > instance.due[customer] + slack:
                raise ValueError(f"customer {customer} is served at {clock}, due {instance.due[customer]}")
            clock += instance.service[customer]
            load += instance.demand[customer]
            total += float(away[at, customer]) if route else 0.0
            at = customer
        if load > instance.capacity:
            raise ValueError(f"a vehicle carries {load} of {instance.capacity}")
    return Checked(len(served), total, sum(1 for route in routes if route))
