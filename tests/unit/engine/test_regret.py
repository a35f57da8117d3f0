"""The order "regret": what would lose most by waiting goes first, by the same rules of fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

import engine.regret as regret_module
from engine import Engine, EngineError, EngineSettings
from tests.oracle.compare import assert_same_decisions, assert_same_routes
from tests.oracle.worlds import World, crowded_world, seeded_world
from tests.unit.engine.regret_oracle import RegretOracle

NOW = 1_795_680_000.0
PLACE = {"destinationLat": 45.0, "destinationLng": 9.0}


def member(name: str, lat: float, lng: float, **fields: Any) -> dict[str, Any]:
    return {"username": name, "role": "worker", "location": {"lat": lat, "lng": lng}, **fields}


def job(key: str, lat: float, lng: float, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationLat": lat, "destinationLng": lng, "onSiteSeconds": 0, **fields}


def keyed(world: World) -> World:
    """The world with a key of its own for every job, so that no version replaces another."""
    numbers: Iterator[int] = count()

    def named(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**each, "uidSecondary": f"k{next(numbers)}"} for each in jobs]

    return replace(world, routes=named(world.routes), batches=[named(batch) for batch in world.batches])


def check(world: World) -> int:
    """Decide by engine and oracle and compare; returns how many jobs got a member."""
    world = keyed(world)
    settings = EngineSettings(**world.settings, order="regret")
    engine = Engine(world.accounts, routes=world.routes, company=world.company, settings=settings, now=world.now)
    oracle = RegretOracle(
        world.accounts, routes=world.routes, company=world.company, settings=world.settings, now=world.now
    )
    placed = 0
    for batch in world.batches:
        decisions = engine.decide(batch, reasons=True)
        assert_same_decisions(decisions, oracle.decide(batch), members=len(oracle.members))
        assert_same_routes(engine, oracle)
        placed += sum(each.worker is not None for each in decisions)
    return placed


@pytest.mark.parametrize("first_seed", range(50_000, 50_300, 50))
def test_small_worlds_are_decided_as_the_plain_procedure_does(first_seed: int) -> None:
    """Every field of every decision, the reasons and the routes, on fifty worlds at a time."""
    seeds = range(first_seed, first_seed + 50)
    assert sum(check(seeded_world(seed, members=(1, 6), stops=(0, 8), jobs=(4, 16))) for seed in seeds) > 100


@pytest.mark.parametrize("seed", range(50_300, 50_303))
def test_a_crowded_city_is_decided_as_the_plain_procedure_does(seed: int) -> None:
    """More visits than the fleet has hours for."""
    assert check(crowded_world(seed, members=6, jobs=45)) > 20


def test_a_job_with_one_possible_member_goes_before_a_nearer_one_with_a_choice() -> None:
    """Both want ann at nine; bob could take the first one too, so the second, which only ann may take, goes first."""
    fleet = [member("ann", 45.0, 9.0, teams=[1, 2]), member("bob", 45.2, 9.0, teams=[1])]
    window = {"day": 20261130, "windowStart": 900, "windowEnd": 900, "onSiteSeconds": 3600}
    batch = [
        job("choice", 45.0, 9.001, teamId=1, **window),
        job("only ann", 45.0, 9.1, teamId=2, **window),
    ]
    taken = {order: workers(fleet, batch, order=order) for order in ("priority", "regret")}
    assert taken == {
        "priority": {"choice": "ann", "only ann": None},
        "regret": {"choice": "bob", "only ann": "ann"},
    }


def test_priority_goes_before_regret() -> None:
    """The job of priority 6 takes ann although the other one loses more by it."""
    fleet = [member("ann", 45.0, 9.0, teams=[1, 2]), member("bob", 45.2, 9.0, teams=[1])]
    window = {"day": 20261130, "windowStart": 900, "windowEnd": 900, "onSiteSeconds": 3600}
    batch = [job("only ann", 45.0, 9.1, teamId=2, **window), job("urgent", 45.0, 9.001, teamId=1, priority=6, **window)]
    assert workers(fleet, batch, order="regret") == {"only ann": None, "urgent": "ann"}


def workers(fleet: list[dict[str, Any]], batch: list[dict[str, Any]], **settings: Any) -> dict[str | None, str | None]:
    engine = Engine(fleet, settings=EngineSettings(**settings), now=NOW)
    return {each.key: each.worker for each in engine.decide(batch)}


def test_without_time_the_order_is_that_of_priority() -> None:
    """A budget of nothing leaves every job to the ordinary order."""
    world = keyed(crowded_world(7, members=8, jobs=60))
    plain, hurried = (
        Engine(world.accounts, settings=EngineSettings(**{**world.settings, **extra}), now=world.now).decide(
            world.batches[0], reasons=True
        )
        for extra in ({}, {"order": "regret", "regret_s": 0.0})
    )
    assert hurried == plain


def test_when_time_runs_out_the_rest_is_taken_by_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is decided exactly once, nobody with a free member is left, whenever the clock says stop."""
    world = keyed(crowded_world(12, members=6, jobs=60))
    monkeypatch.setattr(regret_module, "SLICE", 1)
    seen = set()
    for looks in (1, 60, 110):
        with monkeypatch.context() as patched:
            patched.setattr("engine.batch.Deadline", lambda _, looks=looks: Countdown(looks))
            settings = EngineSettings(**world.settings, order="regret")
            engine = Engine(world.accounts, settings=settings, now=world.now)
            decisions = engine.decide(world.batches[0])
        assert [each.index for each in decisions] == list(range(60))
        stops = [stop.key for name in engine.members for stop in engine.route(name, world.batches[0][0]["day"])]
        assert sorted(map(str, stops)) == sorted(str(each.key) for each in decisions if each.worker is not None)
        for each, given in zip(decisions, world.batches[0], strict=True):
            if each.worker is None:
                why = engine.reasons({**given, "uidSecondary": None})
                assert sum(reason.count for reason in why.values()) == len(engine.members)
        seen.add(tuple(each.worker for each in decisions))
    assert len(seen) == 3


class Countdown:
    """A deadline that passes after so many looks at it."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def passed(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_a_table_in_pieces_places_every_job_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose table would not fit into memory is taken piece by piece."""
    world = keyed(crowded_world(12, members=6, jobs=60))
    monkeypatch.setattr(regret_module, "PAIRS", 8 * 7)
    engine = Engine(world.accounts, settings=EngineSettings(**world.settings, order="regret"), now=world.now)
    decisions = engine.decide(world.batches[0])
    for each, given in zip(decisions, world.batches[0], strict=True):
        if each.worker is None:
            why = engine.reasons({**given, "uidSecondary": None})
            assert sum(reason.count for reason in why.values()) == len(engine.members)
    assert sum(each.worker is not None for each in decisions) > 20


@pytest.mark.parametrize(
    ("name", "value"), [("order", "fifo"), ("regret_s", -1.0), ("improve_s", float("nan")), ("seed", -1), ("seed", 1.5)]
)
def test_settings_that_cannot_be_used_are_named(name: str, value: object) -> None:
    """The error carries the setting's name."""
    with pytest.raises(EngineError) as caught:
        EngineSettings(**{name: value})  # type: ignore[arg-type]
    assert caught.value.field == name


def test_columns_are_taken_by_regret_too() -> None:
    """The same batch as columns goes to the same members."""
    world = crowded_world(10, members=6, jobs=40)
    batch = [{**each, "uidSecondary": str(i)} for i, each in enumerate(world.batches[0])]
    settings = EngineSettings(**world.settings, order="regret")
    one, two = (Engine(world.accounts, settings=settings, now=world.now) for _ in range(2))
    names = (
        "destinationLat",
        "destinationLng",
        "day",
        "windowStart",
        "windowEnd",
        "onSiteSeconds",
        "priority",
        "teamId",
    )
    columns: dict[str, Any] = {name: np.array([each[name] for each in batch]) for name in names}
    columns |= {name: np.array([each.get(name, 0) for each in batch]) for name in ("itemsToDropoff", "itemsToPickup")}
    found = two.decide_columns(columns)
    expected = [-1 if each.worker is None else one.members.index(each.worker) for each in one.decide(batch)]
    assert found.member.tolist() == expected
