"""Engine against oracle: the same world to both, every field of every decision and every route compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

from engine import Decision, Engine, EngineSettings
from tests.oracle.days import Stop, Walk
from tests.oracle.decisions import PlainDecision
from tests.oracle.live_oracle import LiveOracle
from tests.oracle.oracle import Oracle
from tests.oracle.worlds import World

CLOSE = 1e-5
"""Metres and seconds may differ by this much; whole decisions may not differ at all."""


def check_world(world: World) -> int:
    """Decide a world by both and compare after every batch; returns the number of decisions.

    Raises:
        AssertionError: naming the first fields that differ.
    """
    engine, oracle = both(world)
    count = 0
    for batch in world.batches:
        decisions = engine.decide(batch, reasons=True)
        assert_same_decisions(decisions, oracle.decide(batch), members=len(oracle.members))
        assert_same_routes(engine, oracle)
        count += len(decisions)
    return count


def both(world: World) -> tuple[Engine, LiveOracle]:
    settings = EngineSettings(**world.settings)
    engine = Engine(world.accounts, routes=world.routes, company=world.company, settings=settings, now=world.now)
    oracle = LiveOracle(
        world.accounts, routes=world.routes, company=world.company, settings=world.settings, now=world.now
    )
    return engine, oracle


def assert_same_decisions(decided: Sequence[Decision], expected: Sequence[PlainDecision], *, members: int) -> None:
    """Every field of every decision; the reasons' counts add up to the number of members."""
    assert [each.index for each in decided] == list(range(len(expected)))
    differences = [text for got, want in zip(decided, expected, strict=True) for text in differing_fields(got, want)]
    assert not differences, "\n".join(differences)
    for got in decided:
        if got.reasons is not None:
            assert sum(reason.count for reason in got.reasons.values()) == members


def differing_fields(got: Decision, want: PlainDecision) -> list[str]:
    """One line per field in which the engine and the oracle differ."""
    reasons = None if got.reasons is None else {code: (why.count, why.example) for code, why in got.reasons.items()}
    pairs: list[tuple[str, object, object]] = [
        ("key", got.key, want.key),
        ("worker", got.worker, want.worker),
        ("position", got.position, want.position),
        ("preassigned", got.preassigned, want.preassigned),
        ("reasons", reasons, want.reasons),
    ]
    lines = [f"job {want.index} {name}: engine {a!r}, oracle {b!r}" for name, a, b in pairs if a != b]
    figures = [
        ("distance_m", got.distance_m, want.distance_m),
        ("added_travel_s", got.added_travel_s, want.added_travel_s),
        ("start_s", got.start_s, want.start_s),
    ]
    return lines + [f"job {want.index} {name}: engine {a!r}, oracle {b!r}" for name, a, b in figures if not same(a, b)]


def differing_plan(printed: Sequence[Mapping[str, Any]], expected: Sequence[PlainDecision]) -> list[str]:
    """One line per job of a printed plan that is not what the oracle says; an unassigned job carries its reasons."""
    if [each["index"] for each in printed] != [each.index for each in expected]:
        return ["the plan does not hold every job once, in input order"]
    lines = []
    for got, want in zip(printed, expected, strict=True):
        reasons = {code: (why["count"], why["example"]) for code, why in got.get("reasons", {}).items()}
        exact = (got["key"], got["worker"], got.get("position"), got.get("preassigned", False), reasons or None)
        figures = [(name, got.get(name)) for name in ("distance_m", "added_travel_s", "start_s")]
        if exact != (want.key, want.worker, want.position, want.preassigned, want.reasons) or not all(
            same(value, getattr(want, name)) for name, value in figures
        ):
            lines.append(f"plan {dict(got)!r}, oracle {want!r}")
    return lines


def same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return isclose(a, b, rel_tol=1e-11, abs_tol=CLOSE)


def assert_same_routes(engine: Engine, oracle: Oracle) -> None:
    """Every day route of today and later: the same stops in the same order at the same times."""
    for (member, day), stops in oracle.routes.items():
        username = oracle.members[member].get("username")
        if not username or day < oracle.today(member):
            continue
        walk: Walk = oracle.route_walk(member, day)[1]
        route = engine.route(username, int(f"{day:%Y%m%d}"))
        assert [each.key for each in route] == keys(stops), f"route of {username} on {day}"
        for i, each in enumerate(route):
            expected = walk.arrivals[i], walk.starts[i], walk.leaves[i]
            got = each.arrive_s, each.start_s, each.leave_s
            assert all(map(same, got, expected)), f"{username} on {day}, stop {i}: engine {got}, oracle {expected}"


def keys(stops: Sequence[Stop]) -> list[str | None]:
    return [each.key for each in stops]
