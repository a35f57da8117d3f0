"""Routing instances: the text format of the published sets, the generator, the mapping onto the engine, the check."""

from __future__ import annotations

from dataclasses import fields
from math import asin, cos, radians, sin, sqrt

import numpy as np
import pytest

from benchmarks.solvers import UNIT_M, accounts, by_engine, jobs, place
from benchmarks.vrptw import Instance, check, generate, in_minutes, read, write

SOLOMON = """
TINY1

VEHICLE
NUMBER     CAPACITY
  2         50

CUSTOMER
CUST NO.  XCOORD.   YCOORD.    DEMAND   READY TIME  DUE DATE   SERVICE   TIME

    0      40         50          0          0       1236          0
    1      45         68         10        912        967         90
    2      45         70         30        825        870         90
    3      42         66         20         65        146         90
"""


def test_an_instance_in_solomons_format_is_read() -> None:
    """Name, vehicles and every column, the depot being customer 0."""
    instance = read(SOLOMON)
    assert (instance.name, instance.vehicles, instance.capacity, instance.customers) == ("TINY1", 2, 50.0, 3)
    assert instance.xy.tolist() == [[40, 50], [45, 68], [45, 70], [42, 66]]
    assert instance.demand.tolist() == [0, 10, 30, 20]
    assert instance.ready.tolist() == [0, 912, 825, 65]
    assert instance.due.tolist() == [1236, 967, 870, 146]
    assert instance.service.tolist() == [0, 90, 90, 90]


@pytest.mark.parametrize("kind", ["C1", "C2", "R1", "R2", "RC1", "RC2"])
@pytest.mark.parametrize("customers", [25, 100, 200])
def test_a_written_instance_reads_back(kind: str, customers: int) -> None:
    """The generator's instances go through the text format unchanged."""
    instance = generate(kind, customers, seed=2)
    again = read(write(instance))
    for field in fields(Instance):
        assert np.array_equal(getattr(instance, field.name), getattr(again, field.name)), field.name


@pytest.mark.parametrize(
    "text",
    ["", "no instance", SOLOMON.replace("CUSTOMER", "").replace("CUST NO.", "NO."), SOLOMON.replace("1236", "late"),
     SOLOMON.replace("    3      42", "    7      42"), SOLOMON.replace("         90\n    2", "\n    2")],
)  # fmt: skip
def test_what_is_no_instance_is_refused(text: str) -> None:
    """An error, not a wrong instance."""
    with pytest.raises(ValueError, match="not an instance"):
        read(text)


@pytest.mark.parametrize("kind", ["C1", "C2", "R1", "R2", "RC1", "RC2"])
def test_every_customer_of_a_generated_instance_can_be_served_alone(kind: str) -> None:
    """Each fits a vehicle of its own, out and back within the day; the same seed gives the same instance."""
    instance = generate(kind, 100, seed=3)
    assert write(instance) == write(generate(kind, 100, seed=3)) != write(generate(kind, 100, seed=4))
    rounded, _ = in_minutes(instance)
    for customer in range(1, instance.customers + 1):
        assert check(rounded, [[customer]], slack=1.0).placed == 1


@pytest.mark.parametrize("kind", ["C2", "R1"])
def test_rounded_windows_are_whole_minutes_inside_the_given_ones(kind: str) -> None:
    """So that HHMM holds them exactly."""
    instance = generate(kind, 100, seed=1)
    rounded, unit_s = in_minutes(instance)
    minutes = np.concatenate([rounded.ready, rounded.due]) * unit_s / 60
    assert np.allclose(minutes, np.round(minutes), atol=1e-6)
    assert rounded.due[0] * unit_s <= 86_400
    assert np.all(rounded.ready >= instance.ready - 1e-9)
    assert np.all(rounded.due <= instance.due + 1e-9)


def test_great_circles_are_the_planes_distances() -> None:
    """On the largest square, 500 units wide, to within a ten-millionth."""
    random = np.random.default_rng(1)
    points = random.uniform(0, 500, (200, 2))
    middle = np.array([250.0, 250.0])
    for a, b in zip(points[::2], points[1::2], strict=True):
        (lat1, lng1), (lat2, lng2) = place(a, middle), place(b, middle)
        h = sin(radians(lat2 - lat1) / 2) ** 2
        h += cos(radians(lat1)) * cos(radians(lat2)) * sin(radians(lng2 - lng1) / 2) ** 2
        metres = 2 * 6_371_008.8 * asin(sqrt(h))
        assert metres == pytest.approx(float(np.hypot(*(a - b))) * UNIT_M, rel=1e-7)


def test_the_engines_routes_hold_by_the_instances_own_numbers() -> None:
    """Windows, capacity and the way home, walked on the plane."""
    rounded, unit_s = in_minutes(generate("RC1", 50, seed=1))
    assert len(accounts(rounded)) == rounded.vehicles
    assert len(jobs(rounded, unit_s)) == 50
    solved = by_engine(rounded, policy="least_detour")
    assert check(rounded, solved.routes).placed == sum(map(len, solved.routes)) > 40


@pytest.mark.parametrize(
    ("routes", "broken"),
    [([[1, 1]], "twice"), ([[1], [2], [3]], "too many"), ([[2, 1, 3]], "due"), ([[3, 2, 1]], "carries")],
)
def test_routes_that_break_a_rule_are_refused(routes: list[list[int]], broken: str) -> None:
    """Twice, one vehicle too many, late, overloaded."""
    with pytest.raises(ValueError, match=broken):
        check(read(SOLOMON), routes)
    assert check(read(SOLOMON), [[3, 2]]).placed == 2
