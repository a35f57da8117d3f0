"""A long-lived engine beside the oracle: every event goes to both, and both must say and hold the same."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest

from engine import EngineError
from tests.oracle.clock import calendar_day
from tests.oracle.compare import assert_same_decisions, assert_same_routes, both
from tests.oracle.pools import WIDE_MAPS
from tests.oracle.records import WorldMaker
from tests.oracle.sources import Source
from tests.oracle.worlds import World, world_of

PASSING_S = (1.0, 600.0, 600.0, 3600.0, 3600.0, 4 * 3600.0, 26 * 3600.0)
"""How far the clock moves at once: within the day, past shifts' ends, past midnight."""
KEYS = tuple(f"{letter}{number}" for letter in "sj" for number in range(6))


class LivePair:
    """An engine and an oracle of the same beginning."""

    def __init__(self, maker: WorldMaker, world: World) -> None:
        self.maker = maker
        self.engine, self.oracle = both(world)
        self.now = world.now

    @property
    def members(self) -> int:
        return len(self.oracle.members)

    def decide(self, batch: list[dict[str, Any]]) -> int:
        """Decide a batch at the clock's time; returns the number of decisions."""
        decisions = self.engine.decide(batch, now=self.now, reasons=True)
        assert_same_decisions(decisions, self.oracle.decide(batch, now=self.now), members=self.members)
        return len(decisions)

    def ask_why_not(self, job: dict[str, Any]) -> None:
        """The reasons of a job that is no stop and that nobody could take now; asking changes nothing."""
        if self._held_at(job.get("uidSecondary")):
            job = job | {"uidSecondary": None}
        would_be = deepcopy(self.oracle).decide([job], now=self.now)[0]
        if would_be.worker is None:
            reasons = self.engine.reasons(job, now=self.now)
            assert {code: (why.count, why.example) for code, why in reasons.items()} == would_be.reasons

    def add_routes(self, saved: list[dict[str, Any]]) -> None:
        self.engine.add_routes(saved)
        self.oracle.add_routes(saved)

    def replace_day(self, saved: list[dict[str, Any]], ahead: int) -> None:
        """The whole listing of a day: what is not in it leaves, what is in it leaves every other day."""
        day = self.maker.day(ahead)
        on = calendar_day(day)
        assert on is not None
        listed = [job | {"day": day} for job in saved]
        self.engine.replace_day(day, listed)
        if self.oracle.members and on >= min(map(self.oracle.today, range(self.members))):
            self._replace_in_oracle(listed, on)

    def _replace_in_oracle(self, listed: list[dict[str, Any]], on: date) -> None:
        routes = self.oracle.routes
        for who, day in routes:
            if day == on:
                routes[who, day].clear()
        for job in listed:
            self.oracle._save(job)
        here = {stop.key for (_, day), route in routes.items() for stop in route if day == on and stop.key}
        for (_, day), route in routes.items():
            if day != on:
                route[:] = [stop for stop in route if stop.key not in here]

    def cancel(self, keys: list[str]) -> None:
        """Stops of days that are over may be forgotten already; all others count."""
        ahead = self._ahead(keys)
        assert ahead <= self.engine.cancel(keys) <= self.oracle.cancel(keys)

    def complete(self, keys: list[str]) -> None:
        """A job that is done is no stop any more."""
        ahead = self._ahead(keys)
        assert ahead <= self.engine.complete(keys) <= self.oracle.cancel(keys)

    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        self.engine.advance(self.now)
        self.oracle.advance(self.now)

    def locate(self, place: dict[str, Any], age_s: float) -> None:
        """Somebody was seen somewhere, just now or a while ago."""
        worker = self._somebody()
        if worker is not None:
            seen = {} if age_s == 0 else {"seen_s": self.now - age_s}
            self.engine.update_location(worker, place["lat"], place["lng"], **seen)
            self.oracle.update_location(worker, place["lat"], place["lng"], **seen)

    def update_member(self, *, new: bool) -> None:
        """Another record of a member, or one of a new member."""
        worker = f"m{50 + self.members}" if new else self._somebody()
        if worker is not None:
            record = self.maker.account(0) | {"username": worker, "uid": f"u{worker[1:]}"}
            self.engine.update_member(record)
            self.oracle.update_member(record)

    def move(self, key: str, *, position: int | None, day: int | None) -> None:
        """A dispatcher gives a stop that is not under way to somebody."""
        worker = self._somebody()
        held = self._held_at(key)
        if worker is None or not held or self.oracle.holder(key)[2].under_way or self._is_forgotten(*held[0]):
            return
        to = held[0][1] if day is None else calendar_day(day) if day else None
        if to is not None and to < self.oracle.today(self.oracle.member_index(worker)):
            with pytest.raises(EngineError):
                self.engine.move(key, worker, day=day, position=position)
            return
        moved = self.engine.move(key, worker, day=day, position=position)
        assert_same_decisions(
            [moved], [self.oracle.move(key, worker, day=day, position=position)], members=self.members
        )

    def reassign(self, job: dict[str, Any]) -> None:
        """Offer a job to the next best; a stop of a day long over has no holder to pass over any more."""
        key = job.get("uidSecondary")
        if key and not any(self._is_forgotten(*at) for at in self._held_at(key)):
            decision = self.engine.reassign(job, now=self.now, reasons=True)
            assert_same_decisions([decision], [self.oracle.reassign(job, now=self.now)], members=self.members)

    def _held_at(self, key: str | None) -> list[tuple[int, date]]:
        """Member and day of the stop with this key, when there is one."""
        return [at for at, route in self.oracle.routes.items() if key and any(stop.key == key for stop in route)]

    def _is_forgotten(self, member: int, day: date) -> bool:
        """Stops of days long over need not be kept."""
        return day < self.oracle.today(member) - timedelta(days=1)

    def _ahead(self, keys: list[str]) -> int:
        """How many stops with these keys lie on days that are not over for their member."""
        routes = self.oracle.routes.items()
        return sum(stop.key in keys for (who, day), stops in routes for stop in stops if day >= self.oracle.today(who))

    def _somebody(self) -> str | None:
        names = [member["username"] for member in self.oracle.members if member.get("username")]
        return self.maker.source.pick(names) if names else None

    def compare_routes(self) -> None:
        assert_same_routes(self.engine, self.oracle)


def begin(source: Source) -> LivePair:
    """A small fleet with its saved routes and nothing decided yet."""
    maker = WorldMaker(source)
    return LivePair(maker, world_of(maker, members=(1, 5), stops=(0, 8), jobs=(0, 0)))


def begin_big(source: Source) -> LivePair:
    """A fleet that an index has to search."""
    maker = WorldMaker(source, maps=WIDE_MAPS)
    return LivePair(maker, world_of(maker, members=(100, 300), stops=(0, 100), jobs=(0, 0)))


def jobs_of(pair: LivePair, count: int) -> list[dict[str, Any]]:
    return [pair.maker.job(index, pair.members) for index in range(count)]


def saved_stops_of(pair: LivePair, count: int) -> list[dict[str, Any]]:
    """Saved stops under keys that may be stops already, each once."""
    first = pair.maker.source.between(0, len(KEYS) - count)
    saved = [pair.maker.saved_job(index, pair.members) for index in range(count)]
    return [job | {"uidSecondary": key} for job, key in zip(saved, KEYS[first:], strict=False)]


EVENTS = (
    "decide",
    "decide",
    "decide",
    "why",
    "add",
    "day",
    "cancel",
    "complete",
    "later",
    "locate",
    "member",
    "move",
    "reassign",
)


def happen(pair: LivePair, event: str) -> int:
    """One event drawn from the pair's source; returns the number of decisions."""
    source = pair.maker.source
    match event:
        case "decide":
            return pair.decide(jobs_of(pair, source.between(1, 6)))
        case "why":
            pair.ask_why_not(jobs_of(pair, 1)[0])
        case "add":
            pair.add_routes(saved_stops_of(pair, source.between(1, 4)))
        case "day":
            pair.replace_day(saved_stops_of(pair, source.between(0, 6)), source.pick((0, 0, 1, -1)))
        case "cancel":
            pair.cancel([source.pick(KEYS) for _ in range(source.between(0, 4))])
        case "complete":
            pair.complete([source.pick(KEYS)])
        case "later":
            pair.let_time_pass(source.pick(PASSING_S))
        case "locate":
            pair.locate(pair.maker.place("lat", "lng"), source.pick((0.0, 60.0, 900.0, 901.0)))
        case "member":
            pair.update_member(new=source.rarely())
        case "move":
            day = source.pick((None, 0, pair.maker.day(1), pair.maker.day(-1)))
            pair.move(source.pick(KEYS), position=source.pick((None, 0, 1, 99)), day=day)
        case "reassign":
            pair.reassign(jobs_of(pair, 1)[0])
    return 0


def tell_story(pair: LivePair, *, events: int, look_every: int = 1) -> int:
    """A number of events in any order, the routes compared now and then; returns the number of decisions."""
    decisions = 0
    for count in range(events):
        decisions += happen(pair, pair.maker.source.pick(EVENTS))
        if count % look_every == 0:
            pair.compare_routes()
    pair.compare_routes()
    return decisions
