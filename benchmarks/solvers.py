"""One routing instance to every solver: the engine's public interface, OR-Tools and VROOM, from arrays to routes."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import degrees
from typing import Any, Final

import numpy as np

from benchmarks.vrptw import Instance, in_minutes
from engine import Engine, EngineSettings

RADIUS_M: Final = 6_371_008.8

UNIT_M: Final = 10.0
"""Metres per unit of the instance: within 500 units around the equator great circles differ from the plane by 1e-7."""

WEST: Final = 10.0
"""Longitude of the plane's middle, degrees."""

DAY: Final = 20301202
BEFORE: Final = 1_922_000_000.0
"""Unix seconds of the day before `DAY`, so that the day starts with the shift."""

WHOLE: Final = 1000
"""Solvers that count in whole numbers get thousandths of a unit."""

Routes = list[list[int]]


@dataclass(frozen=True, slots=True)
class Solved:
    """Routes and what they took.

    Attributes:
        routes: customers from 1, per vehicle.
        seconds: from arrays to routes.
        solve_s: of that, inside the solver's own call.
    """

    routes: Routes
    seconds: float
    solve_s: float


def has(package: str) -> bool:
    """The package is installed."""
    return importlib.util.find_spec(package) is not None


def accounts(instance: Instance) -> list[dict[str, Any]]:
    """The vehicles as members who start and end at the depot."""
    middle = instance.xy.mean(axis=0)
    lat, lng = place(instance.xy[0], middle)
    return [
        {
            "username": f"v{i}",
            "role": "worker",
            "vehicle_capacity": instance.capacity,
            "travel_mode": "pedestrian",
            "route_start_lat": lat,
            "route_start_lng": lng,
            "route_end_lat": lat,
            "route_end_lng": lng,
        }
        for i in range(instance.vehicles)
    ]


def place(point: Any, middle: Any) -> tuple[float, float]:
    """A point of the plane as (latitude, longitude) in degrees near the equator."""
    x, y = (np.asarray(point) - middle) * UNIT_M / RADIUS_M
    return degrees(y), WEST + degrees(x)


def jobs(instance: Instance, unit_s: float) -> list[dict[str, Any]]:
    """The customers as jobs."""
    middle = instance.xy.mean(axis=0)
    out = []
    for i in range(1, len(instance.xy)):
        lat, lng = place(instance.xy[i], middle)
        out.append(
            {
                "uidSecondary": str(i),
                "destinationLat": lat,
                "destinationLng": lng,
                "day": DAY,
                "windowStart": hhmm(instance.ready[i] * unit_s),
                "windowEnd": hhmm(instance.due[i] * unit_s),
                "onSiteSeconds": instance.service[i] * unit_s,
                "itemsToDropoff": instance.demand[i],
            }
        )
    return out


def hhmm(seconds: float) -> int:
    """A whole minute of the day as HHMM."""
    minutes = round(seconds / 60)
    return minutes // 60 * 100 + minutes % 60


def settings(instance: Instance, unit_s: float, **fields: Any) -> EngineSettings:
    """Settings under which a unit of distance takes a unit of time."""
    end = hhmm(instance.due[0] * unit_s)
    return EngineSettings(
        circuity=unit_s / UNIT_M * (5 / 3.6), default_shift=f"00:00-{end // 100:02}:{end % 100:02}", **fields
    )


def by_engine(instance: Instance, **fields: Any) -> Solved:
    """The engine's day routes after one batch."""
    rounded, unit_s = in_minutes(instance)
    batch, fleet, chosen = jobs(rounded, unit_s), accounts(rounded), settings(rounded, unit_s, **fields)
    begin = time.perf_counter()
    engine = Engine(fleet, settings=chosen, now=BEFORE)
    middle = time.perf_counter()
    engine.decide(batch)
    end = time.perf_counter()
    routes = [[int(stop.key or 0) for stop in engine.route(name, DAY)] for name in engine.members]
    return Solved(routes, end - begin, end - middle)


def by_ortools(instance: Instance, *, strategy: str = "PARALLEL_CHEAPEST_INSERTION") -> Solved:
    """OR-Tools' first solution by a construction strategy; local search is off."""
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2  # noqa: PLC0415 - optional

    whole = np.round(instance.distances() * WHOLE).astype(np.int64)
    service = np.round(instance.service * WHOLE).astype(np.int64)
    travel, moving = whole.tolist(), (whole + service[:, None]).tolist()
    begin = time.perf_counter()
    manager = pywrapcp.RoutingIndexManager(len(whole), instance.vehicles, 0)
    model = pywrapcp.RoutingModel(manager)
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(travel))
    horizon = int(instance.due[0] * WHOLE)
    model.AddDimension(model.RegisterTransitMatrix(moving), horizon, horizon, False, "time")
    clock = model.GetDimensionOrDie("time")
    demand = model.RegisterUnaryTransitVector(instance.demand.astype(np.int64).tolist())
    model.AddDimension(demand, 0, int(instance.capacity), True, "load")
    for i in range(1, len(whole)):
        index = manager.NodeToIndex(i)
        clock.CumulVar(index).SetRange(int(instance.ready[i] * WHOLE), int(instance.due[i] * WHOLE))
        model.AddDisjunction([index], 10**9)
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = getattr(routing_enums_pb2.FirstSolutionStrategy, strategy)
    off = 2  # BOOL_FALSE
    for operator in parameters.local_search_operators.DESCRIPTOR.fields:
        setattr(parameters.local_search_operators, operator.name, off)
    parameters.solution_limit = 1
    middle = time.perf_counter()
    solution = model.SolveWithParameters(parameters)
    end = time.perf_counter()
    routes: Routes = []
    for vehicle in range(instance.vehicles if solution else 0):
        route, index = [], solution.Value(model.NextVar(model.Start(vehicle)))
        while not model.IsEnd(index):
            route.append(manager.IndexToNode(index))
            index = solution.Value(model.NextVar(index))
        routes.append(route)
    return Solved(routes, end - begin, end - middle)


def by_vroom(instance: Instance, *, exploration: int = 0) -> Solved:
    """VROOM at an exploration level, one thread."""
    import vroom  # noqa: PLC0415 - optional

    whole = np.round(instance.distances() * WHOLE).astype(np.uint32)
    horizon = int(instance.due[0] * WHOLE)
    begin = time.perf_counter()
    problem = vroom.Input()
    problem.set_durations_matrix(profile="car", matrix_input=whole)
    problem.add_vehicle(
        [
            vroom.Vehicle(i, start=0, end=0, capacity=[int(instance.capacity)], time_window=[0, horizon])
            for i in range(instance.vehicles)
        ]
    )
    problem.add_job(
        [
            vroom.Job(
                i,
                location=i,
                default_service=int(instance.service[i] * WHOLE),
                delivery=[int(instance.demand[i])],
                time_windows=[vroom.TimeWindow(int(instance.ready[i] * WHOLE), int(instance.due[i] * WHOLE))],
            )
            for i in range(1, len(whole))
        ]
    )
    middle = time.perf_counter()
    solution = problem.solve(exploration_level=exploration, nb_threads=1)
    end = time.perf_counter()
    frame = solution.routes
    served = frame[frame["type"] == "job"]
    routes = [[int(i) for i in route] for _, route in served.groupby("vehicle_id", sort=True)["id"]]
    return Solved(routes, end - begin, end - middle)


def used(routes: Sequence[Sequence[int]]) -> int:
    """Vehicles that leave the depot."""
    return sum(1 for route in routes if route)
