"""Trees from a child process are the trees of this one, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
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


def test_all_accounts_of_a_process_have_one_child_and_it_ends_with_the_last() -> None:
    one, other = Nursery(), Nursery()
    try:
        one(PLACES, 8)
        other(PLACES, 8)
        (child,) = children()
        one.close()
        assert children() == [child]
    finally:
        one.close()
        other.close()
    assert children() == []


def test_a_child_that_stands_by_outlives_its_idleness() -> None:
    """As long as one of those who use it stands by."""
    one, other = Nursery(), Nursery(idle_s=0.05)
    try:
        one.stand_by()
        (child,) = children()
        other(PLACES, 8)
        time.sleep(0.3)
        assert children() == [child]
    finally:
        one.close()
        assert children() == [child]
        other.close()
    assert children() == []


def test_nobody_waits_to_prepare_for_a_tree_that_is_being_planted() -> None:
    """An event loop prepares; the child of another account may just be loading."""
    one, other = Nursery(), Nursery()
    planting = threading.Thread(target=one, args=(PLACES, 8))
    try:
        planting.start()
        began = time.monotonic()
        while planting.is_alive():
            asked = time.monotonic()
            other.prepare()
            assert time.monotonic() - asked < 0.1
            time.sleep(0.01)
        assert time.monotonic() - began > 0.1, "it was planted too fast to see anything"
    finally:
        planting.join()
        one.close()
        other.close()


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
