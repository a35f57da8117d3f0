"""The improvement after a batch: better in number and travel, within every rule of fit, the index right as before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from engine import Engine, EngineSettings
from tests.oracle.compare import assert_same_decisions, assert_same_routes, same
from tests.oracle.days import Stop, batch_stop, loads, walk
from tests.oracle.oracle import Oracle, names_member
from tests.oracle.places import EQUAL
from tests.oracle.worlds import World, crowded_world, seeded_world
from tests.unit.engine.test_regret import job, keyed, member

ENOUGH_S = 600.0
"""More than any of these batches needs: the improvement ends by itself."""

NOW = 1_795_680_000.0
DAY = 20261130


def improved(world: World, **settings: Any) -> Engine:
    return Engine(
        world.accounts, routes=world.routes, company=world.company, now=world.now,
        settings=EngineSettings(**{**world.settings, "improve_s": ENOUGH_S, **settings}),
    )  # fmt: skip


def adopt(oracle: Oracle, engine: Engine, known: Mapping[str, Stop]) -> None:
    """Give the oracle the engine's routes: the same stops, in the engine's order."""
    for index, account in enumerate(oracle.members):
        if account.get("username"):
            for at in [at for at in oracle.routes if at[0] == index]:
                route = engine.route(account["username"], int(f"{at[1]:%Y%m%d}"))
                oracle.routes[at][:] = [known[stop.key or ""] for stop in route]


def check(world: World, **settings: Any) -> tuple[int, int]:
    """Improve the first batch of a world and hold it to the rules; returns jobs placed without and with it."""
    world = keyed(world)
    engine = improved(world, **settings)
    before = Engine(
        world.accounts, routes=world.routes, company=world.company, now=world.now,
        settings=EngineSettings(**{**world.settings, **settings}),
    )  # fmt: skip
    oracle = Oracle(world.accounts, routes=world.routes, company=world.company, settings=world.settings, now=world.now)
    batch = world.batches[0]
    oracle.decide(batch)
    days = list(oracle.routes)
    plain, decisions = before.decide(batch), engine.decide(batch, reasons=True)

    known = {stop.key or "": stop for route in oracle.routes.values() for stop in route}
    known |= {each["uidSecondary"]: batch_stop(each) for each in batch if each["uidSecondary"] not in known}
    free = {each["uidSecondary"] for each in batch if not names_member(each) and not each.get("tsCheckIn")}
    free -= {each["uidSecondary"] for each in batch if each.get("tsAccepted")}
    travel = {"plain": 0.0, "improved": 0.0}
    for index, date_ in days:
        name = oracle.members[index].get("username")
        if not name:
            continue
        day, number = oracle._day(index, date_), int(f"{date_:%Y%m%d}")
        old = [known[stop.key or ""] for stop in before.route(name, number)]
        new = [known[stop.key or ""] for stop in engine.route(name, number)]
        assert [each for each in old if each.key not in free] == [each for each in new if each.key not in free]
        then, now = walk(day, old), walk(day, new)
        travel["plain"] += then.travel
        travel["improved"] += now.travel
        starts = {each.key: start for each, start in zip(old, then.starts, strict=True)}
        for each, start in zip(new, now.starts, strict=True):
            allowed = each.closes if each.key in free else max(each.closes, starts[each.key])
            assert start <= allowed + EQUAL, f"{each.key} starts at {start}"
        if new and day.shift is not None:
            assert now.end <= max(day.ends, then.end) + EQUAL
        capacity = oracle._capacity(index)
        assert capacity <= 0 or max(loads(new)) <= max(capacity, *loads(old)) + EQUAL
        cap = oracle.settings["max_jobs_per_day"]
        assert not 0 < cap < len(new) or len(new) <= len(old)
        assert not any(each.under_way for each in new[1:]) or new.index(
            [e for e in new if e.under_way][-1]
        ) <= old.index([e for e in old if e.under_way][-1])

    assert all(two.worker is not None for one, two in zip(plain, decisions, strict=True) if one.worker is not None)
    placed = [sum(each.worker is not None for each in found) for found in (plain, decisions)]
    if placed[0] == placed[1]:
        assert travel["improved"] <= travel["plain"] + 1e-3
    adopt(oracle, engine, known)
    assert_same_routes(engine, oracle)
    for given, decision in zip(batch, decisions, strict=True):
        if decision.worker is None:
            assert oracle.candidates(given) == []
            assert {code: (why.count, why.example) for code, why in (decision.reasons or {}).items()} == oracle.reasons(
                given
            )
        elif not names_member(given):
            index = next(i for i, account in enumerate(oracle.members) if account.get("username") == decision.worker)
            assert known[decision.key or ""] in oracle._member_day(given, index)[1]
            stop = known[decision.key or ""]
            route, way = oracle.route_walk(index, oracle._job_date(given, index))
            assert route.index(stop) == decision.position
            assert same(way.starts[route.index(stop)], decision.start_s)
            assert same(oracle._distance(given, index), decision.distance_m)
            rest = walk(
                oracle._day(index, oracle._job_date(given, index)), [other for other in route if other is not stop]
            )
            assert same(way.travel - rest.travel, decision.added_travel_s)
            oracle.routes[index, oracle._job_date(given, index)].remove(stop)
            assert oracle._barrier(given, index) is None
            oracle.routes[index, oracle._job_date(given, index)].insert(decision.position or 0, stop)
    engine._book.settings = replace(engine.settings, improve_s=0.0, order="priority")
    again = [{**each, "uidSecondary": f"again {i}"} for i, each in enumerate(batch)]
    assert_same_decisions(engine.decide(again, reasons=True), oracle.decide(again), members=len(oracle.members))
    assert_same_routes(engine, oracle)
    return placed[0], placed[1]


@pytest.mark.parametrize("order", ["priority", "regret"])
@pytest.mark.parametrize("first_seed", range(60_000, 60_200, 50))
def test_improved_small_worlds_keep_every_rule(first_seed: int, order: str) -> None:
    """Saved stops stay, nobody loses a place, all is on time; figures, reasons and the next batch are the oracle's."""
    seeds = range(first_seed, first_seed + 50)
    worlds = (seeded_world(seed, members=(1, 6), stops=(0, 8), jobs=(4, 16)) for seed in seeds)
    assert sum(check(world, order=order)[1] for world in worlds) > 100


@pytest.mark.parametrize("order", ["priority", "regret"])
def test_a_stop_without_a_place_does_not_make_the_next_one_late(order: str) -> None:
    """The way to a job was made before waiting there; without that job it comes behind, too late for a saved stop."""
    check(seeded_world(71_315, members=(1, 8), stops=(0, 12), jobs=(4, 24)), order=order, seed=6)


@pytest.mark.parametrize("seed", range(60_300, 60_304))
def test_an_improved_crowded_city_keeps_every_rule(seed: int) -> None:
    """More visits than the fleet has hours for: some find a place in the room that was won."""
    before, after = check(crowded_world(seed, members=6, jobs=80))
    assert after >= before


def test_room_that_is_won_goes_to_a_job_without_a_member() -> None:
    """In input order the first job takes the only vehicle that the second one fits; it moves over."""
    fleet = [member("ann", 45.0, 9.0, teams=[1, 2]), member("bob", 45.2, 9.0, teams=[1])]
    window = {"day": DAY, "windowStart": 900, "windowEnd": 900, "onSiteSeconds": 3600}
    batch = [job("either", 45.0, 9.001, teamId=1, **window), job("only ann", 45.0, 9.1, teamId=2, **window)]
    assert workers(fleet, batch, improve_s=0.0) == {"either": "ann", "only ann": None}
    assert workers(fleet, batch, improve_s=ENOUGH_S) == {"either": "bob", "only ann": "ann"}


@pytest.mark.parametrize("mark", ["tsAccepted", "tsCheckIn"])
def test_a_job_that_is_accepted_or_under_way_stays(mark: str) -> None:
    """As above, but the first job is its member's already."""
    fleet = [member("ann", 45.0, 9.0, teams=[1, 2]), member("bob", 45.2, 9.0, teams=[1])]
    window = {"day": DAY, "windowStart": 900, "windowEnd": 900, "onSiteSeconds": 3600}
    batch = [job("either", 45.0, 9.001, teamId=1, **window), job("only ann", 45.0, 9.1, teamId=2, **window)]
    batch[0][mark] = 1_795_600_000_000
    assert workers(fleet, batch, improve_s=ENOUGH_S) == {"either": "ann", "only ann": None}


def test_a_stop_of_an_earlier_batch_stays() -> None:
    """Only the jobs of the batch at hand may move."""
    fleet = [member("ann", 45.0, 9.0, teams=[1, 2]), member("bob", 45.2, 9.0, teams=[1])]
    window = {"day": DAY, "windowStart": 900, "windowEnd": 900, "onSiteSeconds": 3600}
    engine = Engine(fleet, settings=EngineSettings(improve_s=ENOUGH_S), now=NOW)
    assert engine.decide([job("either", 45.0, 9.001, teamId=1, **window)])[0].worker == "ann"
    assert engine.decide([job("only ann", 45.0, 9.1, teamId=2, **window)])[0].worker is None


def workers(fleet: list[dict[str, Any]], batch: list[dict[str, Any]], **settings: Any) -> dict[str | None, str | None]:
    engine = Engine(fleet, settings=EngineSettings(**settings), now=NOW)
    return {each.key: each.worker for each in engine.decide(batch)}


def test_moved_jobs_are_found_by_their_key() -> None:
    """What moved can be cancelled: nothing is left behind."""
    world = keyed(crowded_world(60_400, members=6, jobs=60))
    engine = improved(world)
    placed = [each.key for each in engine.decide(world.batches[0]) if each.worker is not None]
    assert engine.cancel(key for key in placed if key is not None) == len(placed)
    assert all(engine.route(name, world.batches[0][0]["day"]) == [] for name in engine.members)


def test_the_same_seed_gives_the_same_routes() -> None:
    """It ended by itself, so neither time nor chance shows."""
    world = keyed(crowded_world(60_401, members=6, jobs=60))
    one, two, other = (improved(world, seed=seed).decide(world.batches[0]) for seed in (3, 3, 4))
    assert one == two
    assert [each.worker for each in other] != [each.worker for each in one]


def test_versions_of_one_key_in_a_batch_leave_one_stop() -> None:
    """Of two jobs with one key the later one stands, and the earlier one does not come back."""
    world = keyed(crowded_world(60_402, members=4, jobs=40))
    batch = [{**each, "uidSecondary": f"k{i % 30}", "priority": 5} for i, each in enumerate(world.batches[0])]
    engine = improved(world)
    engine.decide(batch)
    stops = [stop.key for name in engine.members for stop in engine.route(name, batch[0]["day"])]
    assert len(stops) == len(set(stops)) > 15


def test_no_time_changes_nothing() -> None:
    """A deadline that has passed leaves the batch as decided."""
    world = keyed(crowded_world(60_403, members=6, jobs=60))
    plain = improved(world, improve_s=0.0).decide(world.batches[0])
    assert improved(world, improve_s=1e-12).decide(world.batches[0]) == plain
