"""Trees from a child process are the trees of this one, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import psutil
import pytest

from dispatcher.pipeline.nursery import Nursery
from engine import Engine, ball_tree

PLACES = np.radians(np.random.default_rng(1).uniform([-80, -180], [80, 180], (500, 2)))


def children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it may end while it is looked at
            if "dispatcher.planting" in child.cmdline():
                found.append(child)
    return found


def test_the_tree_is_the_same_wherever_it_is_planted() -> None:
    nursery = Nursery()
    try:
        for places in (PLACES, PLACES[:40]):
            order, nodes = nursery(places, 8)
            own_order, own_nodes = ball_tree(places, 8)
            assert (order == own_order).all()
            assert all((nodes[name] == own_nodes[name]).all() for name in ("idx_start", "idx_end", "is_leaf"))
        assert len(children()) == 1
    finally:
        nursery.close()
    assert children() == []


def test_a_child_that_died_is_replaced_by_this_process_and_then_by_another_child(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nursery = Nursery()
    try:
        nursery(PLACES, 8)
        children()[0].kill()
        order, _ = nursery(PLACES, 8)
        assert (order == ball_tree(PLACES, 8)[0]).all()
        assert "planting here" in caplog.text
        nursery(PLACES, 8)
        assert len(children()) == 1
    finally:
        nursery.close()


def test_without_a_child_the_tree_is_planted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", no_process)
    order, _ = Nursery()(PLACES, 8)
    assert (order == ball_tree(PLACES, 8)[0]).all()


def test_the_child_has_nothing_to_say() -> None:
    """Standard error belongs to the command; a warning of a child would stand in every user's output."""
    ended = subprocess.run(
        [sys.executable, "-m", "dispatcher.planting"], input=b"", capture_output=True, check=True, timeout=60
    )
    assert ended.stderr == b""


def test_a_prepared_child_is_the_one_that_serves() -> None:
    nursery = Nursery()
    try:
        nursery.prepare()
        (prepared,) = children()
        nursery(PLACES, 8)
        assert children() == [prepared]
    finally:
        nursery.close()


def test_an_idle_child_ends() -> None:
    nursery = Nursery(idle_s=0.1)
    nursery(PLACES, 8)
    deadline = time.monotonic() + 10
    while children() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert children() == []


def test_an_engine_decides_the_same_with_either_planter() -> None:
    accounts = [
        {
            "username": f"m{n}@example.com",
            "role": "worker",
            "route_start_lat": float(np.degrees(lat)),
            "route_start_lng": float(np.degrees(lng)),
        }
        for n, (lat, lng) in enumerate(PLACES)
    ]
    jobs = [
        {"uidSecondary": f"J{n}", "destinationLat": float(np.degrees(lat)) + 0.3, "destinationLng": 1.0 + n, "day": 0}
        for n, (lat, _) in enumerate(PLACES[:50])
    ]
    nursery = Nursery()
    try:
        aside = Engine(accounts, now=1.9e9, planter=nursery).decide(jobs)
    finally:
        nursery.close()
    assert aside == Engine(accounts, now=1.9e9).decide(jobs)
