"""The oracle's day route: stops in order, a walk through them, and what a further stop would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Any

from tests.oracle.clock import hhmm_seconds, number, seconds_on, today_in, zone_of
from tests.oracle.places import EQUAL, Place, metres, place, reference_position, seconds_per_metre
from tests.oracle.shifts import Span, shift_on

ON_SITE_S = 720.0


@dataclass(frozen=True)
class Day:
    """One member's day without its stops.

    `starts` and `ends` bound the work in seconds since midnight; the way runs from `begins` to `home`, at `pace`
    seconds a metre.
    """

    is_today: bool
    is_past: bool
    shift: Span | None
    starts: float
    begins: Place | None
    home: Place | None
    pace: float

    @property
    def ends(self) -> float:
        assert self.shift is not None
        return self.shift[1]


@dataclass(eq=False)
class Stop:
    """One stop of a day route; `order` is its number, scheduled start and creation time, where it sorts."""

    key: str | None
    place: Place | None
    opens: float
    closes: float
    stay: float
    drop: float
    pick: float
    under_way: bool
    order: tuple[float, float, float]


@dataclass(frozen=True)
class Walk:
    """A day route walked through: start of work per stop, travel in all, and when the day is over."""

    starts: list[float]
    arrivals: list[float]
    leaves: list[float]
    travel: float
    end: float


@dataclass(frozen=True)
class Insertion:
    """A position where a job fits, and what it costs there."""

    position: int
    added: float
    end: float
    start: float


def day_of(
    account: Mapping[str, Any],
    teams: Mapping[int, Mapping[str, Any]],
    day: date,
    *,
    now: float,
    settings: Mapping[str, Any],
) -> Day:
    """The member's `day`: it starts at the latest of shift start, `route_start_time` and, today, `now`."""
    zone = zone_of(account, settings)
    today = today_in(zone, now)
    is_today = day == today
    shift = shift_on(account, teams, day, is_today=is_today, zone=zone, now=now, settings=settings)
    starts = [shift[0] if shift is not None else 0.0]
    route_start_time = number(account.get("route_start_time"))
    if route_start_time is not None and route_start_time >= 0:
        starts.append(route_start_time * 60)
    if is_today:
        starts.append(seconds_on(day, zone, now))
    return Day(
        is_today=is_today,
        is_past=day < today,
        shift=shift,
        starts=max(starts),
        begins=reference_position(account, teams, is_today=is_today, now=now, settings=settings),
        home=place(account, "route_end_lat", "route_end_lng"),
        pace=seconds_per_metre(account, settings),
    )


def saved_stop(job: Mapping[str, Any]) -> Stop:
    """A stop of a `getjobs` reply: what cannot be read takes its default, each end of the window on its own."""
    opens, closes = hhmm_seconds(job.get("windowStart")) or 0.0, hhmm_seconds(job.get("windowEnd")) or 0.0
    return stop(job, opens, closes, created=amount(job.get("tsCreated")))


def batch_stop(job: Mapping[str, Any]) -> Stop:
    """A stop made of a job of the batch; without a `tsCreated` it was created now."""
    opens_s, closes_s = hhmm_seconds(job.get("windowStart") or 0), hhmm_seconds(job.get("windowEnd") or 0)
    assert opens_s is not None
    assert closes_s is not None
    return stop(job, opens_s, closes_s, created=amount(job.get("tsCreated")) or inf)


def stop(job: Mapping[str, Any], opens: float, closes: float, *, created: float) -> Stop:
    stay = number(job.get("onSiteSeconds"))
    return Stop(
        key=job.get("uidSecondary") or None,
        place=place(job, "destinationLat", "destinationLng"),
        opens=opens,
        closes=inf if closes in {0.0, 86_400.0} else closes,
        stay=stay if stay is not None and stay >= 0 else ON_SITE_S,
        drop=amount(job.get("itemsToDropoff")),
        pick=amount(job.get("itemsToPickup")),
        under_way=amount(job.get("tsCheckIn")) > 0,
        order=(amount(job.get("number")) or inf, amount(job.get("scheduledStart")) or inf, created),
    )


def amount(value: object) -> float:
    """A number above 0, else 0."""
    return max(0.0, number(value) or 0.0)


def is_open(job: Mapping[str, Any]) -> bool:
    """Whether a saved job is still to be done."""
    ended = any(amount(job.get(name)) > 0 for name in ("tsDoneSuccess", "tsDoneFailed", "tsRejected"))
    return not ended and job.get("status") != "archived"


def enter_by_order(route: list[Stop], new: Stop, *, allowed: range) -> None:
    """Put a stop behind the last one of the allowed positions that does not sort after it, else before all of them.

    In a route in order this keeps the order; in one whose stops were placed by the rules it is the nearest thing to it.
    """
    earlier = [i for i in allowed[:-1] if route[i].order <= new.order]
    route.insert(earlier[-1] + 1 if earlier else allowed[0], new)


def walk(day: Day, stops: Sequence[Stop]) -> Walk:
    """Go through the day: arrive, wait for the window, start, stay, leave; at last the way home."""
    clock, here, travel = day.starts, day.begins, 0.0
    starts, arrivals, leaves = [], [], []
    for each in stops:
        if each.place is not None:
            way = metres(here, each.place) * day.pace if here is not None else 0.0
            clock, travel, here = clock + way, travel + way, each.place
        arrivals.append(clock)
        starts.append(max(clock, each.opens))
        clock = starts[-1] + each.stay
        leaves.append(clock)
    if day.home is not None and here is not None:
        way = metres(here, day.home) * day.pace
        clock, travel = clock + way, travel + way
    return Walk(starts, arrivals, leaves, travel, clock)


def loads(stops: Sequence[Stop]) -> list[float]:
    """Items on board at the start of the day and after each stop."""
    on_board = [sum(each.drop for each in stops)]
    for each in stops:
        on_board.append(on_board[-1] - each.drop + each.pick)
    return on_board


def load_allows(stops: Sequence[Stop], candidate: Sequence[Stop], new: Stop, capacity: float) -> bool:
    """Whether the load stays within the capacity everywhere; an overloaded vehicle takes only jobs without items."""
    if capacity <= 0:
        return True
    if max(loads(stops)) > capacity + EQUAL:
        return new.drop == 0 and new.pick == 0
    return max(loads(candidate)) <= capacity + EQUAL


def positions(stops: Sequence[Stop]) -> range:
    """Where a stop may go: nowhere before a stop that is under way."""
    under_way = [i for i, each in enumerate(stops) if each.under_way]
    return range(under_way[-1] + 1 if under_way else 0, len(stops) + 1)


def with_stop(stops: Sequence[Stop], new: Stop, position: int) -> list[Stop]:
    return [*stops[:position], new, *stops[position:]]


def insertion_at(
    day: Day, stops: Sequence[Stop], new: Stop, position: int, *, before: Walk, capacity: float
) -> Insertion | None:
    """What the new stop costs at a position of the day walked `before`; None when it does not fit there."""
    candidate = with_stop(stops, new, position)
    if not load_allows(stops, candidate, new, capacity):
        return None
    after = walk(day, candidate)
    if after.starts[position] > new.closes + EQUAL:
        return None
    for i in range(position, len(stops)):
        if after.starts[i + 1] > max(stops[i].closes, before.starts[i]) + EQUAL:
            return None
    if after.end > max(day.ends, before.end) + EQUAL:
        return None
    return Insertion(position, after.travel - before.travel, after.end, after.starts[position])


def best_insertion(day: Day, stops: Sequence[Stop], new: Stop, capacity: float) -> Insertion | None:
    """The least added travel; among equals the day that ends earlier, then the earlier position."""
    before = walk(day, stops)
    tried = [insertion_at(day, stops, new, position, before=before, capacity=capacity) for position in positions(stops)]
    fitting = [each for each in tried if each is not None]
    if not fitting:
        return None
    least = min(each.added for each in fitting)
    fitting = [each for each in fitting if each.added <= least + EQUAL]
    earliest = min(each.end for each in fitting)
    fitting = [each for each in fitting if each.end <= earliest + EQUAL]
    return min(fitting, key=lambda each: each.position)
