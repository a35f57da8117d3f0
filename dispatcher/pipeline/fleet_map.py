"""The fleet as a map and its day routes show it: read off an engine at one moment. Changes nothing but the moment.

The functions take a while with many members; `Fleet.ask` runs them in the engine's thread.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from engine import Engine

MEMBER_STATES = ("on_shift", "full", "stale", "off", "no_place")
"""What `MembersView.states` counts into.

- on_shift: at work now, and there is room in the day.
- full: at work, but no more than `FULL_S` is left between two stops, or the cap of jobs a day is reached.
- stale: at work, but the last location is older than `max_location_age_s`.
- off: not at work now (day off, outside of the shift, off duty), or not one who takes jobs.
- no_place: at work, and nobody knows where.
"""
FULL_S = 720.0
"""A job that does not say how long it takes is on site for so long."""
MOST_STOPS = 5000
"""Stops that a map can show; of more, every so manieth."""
SCALE = 1e5
"""Places are whole hundred-thousandths of a degree, about a metre: they are short as text."""

_ON, _FULL, _STALE, _OFF, _NO_PLACE = range(5)


class MembersView(msgspec.Struct, frozen=True, kw_only=True):
    """All members at one moment, column by column in the order of `names`.

    Attributes:
        names: usernames (else uids).
        lats, lngs: where each is (degrees × `SCALE`), None when nobody knows.
        states: places in `MEMBER_STATES`.
        stops: open stops today.
        stop_lats, stop_lngs: places of open stops of today, at most `MOST_STOPS`.
        stops_in_all: how many there are.
    """

    names: tuple[str, ...]
    lats: list[int | None]
    lngs: list[int | None]
    states: list[int]
    stops: list[int]
    stop_lats: list[int]
    stop_lngs: list[int]
    stops_in_all: int


class StopView(msgspec.Struct, frozen=True, kw_only=True):
    """One stop of a day route; times are seconds since local midnight of the day.

    Attributes:
        key: the job's `uidSecondary`, else its `id`.
        lat, lng: degrees, None without a place.
        arrive_s, start_s, leave_s: as the route stands.
        opens_s, closes_s: its window, None for an open end.
        under_way: the member has checked in.
    """

    key: str | None
    lat: float | None
    lng: float | None
    arrive_s: float
    start_s: float
    leave_s: float
    opens_s: float | None
    closes_s: float | None
    under_way: bool


class RouteView(msgspec.Struct, frozen=True, kw_only=True):
    """A member's day route.

    Attributes:
        worker: username.
        day: YYYYMMDD.
        days: days that are in play, YYYYMMDD.
        state: one of `MEMBER_STATES`; as things are now, whatever the day.
        start: (lat, lng) where the day starts, None when that is not known.
        end: the same for where it ends, None when it ends at the last stop.
        shift_s: begin and end of the day, seconds since local midnight; None on a day off.
        stops: in order.
    """

    worker: str
    day: int
    days: list[int]
    state: str
    start: tuple[float, float] | None
    end: tuple[float, float] | None
    shift_s: tuple[float, float] | None
    stops: list[StopView]


def members_view(engine: Engine, *, now: float) -> MembersView:
    """Where everybody is, and whether they take jobs, at a moment (Unix seconds)."""
    with engine._lock:  # noqa: SLF001 - a look at the columns as they lie
        engine.advance(now)
        days = engine._book.days  # noqa: SLF001
        count = days.count
        slots = _today_slots(days)
        places = _places(days, slots)
        states = _states(engine, days, slots, places)
        stops = days.state.slots["n"][slots].astype(np.int64)
        lats, lngs, in_all = _stop_places(days, slots, stops)
    return MembersView(
        names=engine.members[:count],
        lats=_column(places[:, 0]),
        lngs=_column(places[:, 1]),
        states=states.tolist(),
        stops=stops.tolist(),
        stop_lats=lats,
        stop_lngs=lngs,
        stops_in_all=in_all,
    )


def route_view(engine: Engine, worker: str, day: int) -> RouteView:
    """A member's day route with places.

    Args:
        engine: of the account.
        worker: username.
        day: YYYYMMDD, 0 for the member's today.

    Raises:
        EngineError: there is no such member or day.
    """
    with engine._lock:  # noqa: SLF001 - see above
        timed = engine.route(worker, day)  # makes the row of the day when there is none
        days = engine._book.days  # noqa: SLF001
        member = engine._book.by_username[worker]  # noqa: SLF001
        ordinal = int(days.today[member]) if day == 0 else _ordinal(day)
        slot = days.state.slots[days.slot(ordinal, member)]
        places = days.state.stops[slot["offset"] : slot["offset"] + slot["n"]]
        stops = [
            StopView(
                key=stop.key,
                **_place(record),
                arrive_s=stop.arrive_s,
                start_s=stop.start_s,
                leave_s=stop.leave_s,
                opens_s=float(record["opens"]) or None,
                closes_s=float(record["closes"]) if np.isfinite(record["closes"]) else None,
                under_way=bool(record["under_way"]),
            )
            for stop, record in zip(timed, places, strict=True)
        ]
        today = _today_slots(days)
        state = int(_states(engine, days, today, _places(days, today))[member])
        return RouteView(
            worker=worker,
            day=_number(ordinal),
            days=[_number(known) for known in sorted({*days.rows, ordinal})],
            state=MEMBER_STATES[state],
            start=_degrees(slot["lat"], slot["lng"]) if slot["placed"] else None,
            end=_degrees(slot["elat"], slot["elng"]) if slot["ended"] else None,
            shift_s=(float(slot["begin"]), float(slot["shift_end"])) if slot["shift_end"] > slot["begin"] else None,
            stops=stops,
        )


def _today_slots(days: Any) -> npt.NDArray[np.int64]:
    """Each member's slot of its own today."""
    days.today_rows()  # makes the rows that are missing
    today = days.today[: days.count]
    rows = np.zeros(days.count, dtype=np.int64)
    for day in np.unique(today):
        rows[today == day] = days.rows[int(day)]
    slots: npt.NDArray[np.int64] = rows * days.capacity + np.arange(days.count)
    return slots


def _places(days: Any, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Degrees, (members, 2): the last location, else where the day starts, else NaN."""
    places: npt.NDArray[np.float64] = days.fleet.table["location"][: days.count].copy()
    missing = np.isnan(places[:, 0])
    where = days.state.slots
    placed = where["placed"][slots] != 0
    for axis, name in enumerate(("lat", "lng")):
        reference = np.where(placed, np.degrees(where[name][slots]), np.nan)
        places[:, axis] = np.where(missing, reference, places[:, axis])
    return places


def _states(
    engine: Engine, days: Any, slots: npt.NDArray[np.int64], places: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    table, all_slots = days.fleet.table[: days.count], days.state.slots
    _, clocks = days.fleet.clocks(days.now)

    def column(name: str) -> Any:
        return all_slots[name][slots]

    works = (column("eligible") != 0) & (column("on_shift") != 0) & (column("begin") <= clocks[: days.count])
    cap = engine.settings.max_jobs_per_day
    full = (column("free") < FULL_S) | ((column("n") >= cap) & (cap > 0))
    seen = table["seen_s"]
    stale = (seen <= 0) | (days.now - seen > engine.settings.max_location_age_s)
    states = np.full(days.count, _ON, dtype=np.int64)
    states[stale] = _STALE
    states[full] = _FULL
    states[np.isnan(places[:, 0]) | (column("placed") == 0)] = _NO_PLACE
    states[~works] = _OFF
    return states


def _stop_places(
    days: Any, slots: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> tuple[list[int], list[int], int]:
    """Places of today's stops (thinned out evenly when there are many), and how many stops there are."""
    offsets = days.state.slots["offset"][slots].astype(np.int64)
    in_all = int(stops.sum())
    before = np.cumsum(stops) - stops
    where = np.repeat(offsets - before, stops) + np.arange(in_all)
    if in_all > MOST_STOPS:
        where = where[:: -(-in_all // MOST_STOPS)]
    where = where[days.state.stops["placed"][where] != 0]
    lats, lngs = (np.degrees(days.state.stops[name][where]) * SCALE for name in ("lat", "lng"))
    return np.rint(lats).astype(np.int64).tolist(), np.rint(lngs).astype(np.int64).tolist(), in_all


def _column(degrees: npt.NDArray[np.float64]) -> list[int | None]:
    unknown = np.isnan(degrees)
    column: list[int | None] = np.rint(np.where(unknown, 0.0, degrees) * SCALE).astype(np.int64).tolist()
    for i in np.flatnonzero(unknown).tolist():
        column[i] = None
    return column


def _place(stop: Any) -> dict[str, float | None]:
    lat, lng = _degrees(stop["lat"], stop["lng"]) if stop["placed"] else (None, None)
    return {"lat": lat, "lng": lng}


def _degrees(lat: float, lng: float) -> tuple[float, float]:
    return float(np.degrees(lat)), float(np.degrees(lng))


def _ordinal(day: int) -> int:
    return date(day // 10000, day // 100 % 100, day % 100).toordinal()


def _number(ordinal: int) -> int:
    day = date.fromordinal(ordinal)
    return day.year * 10000 + day.month * 100 + day.day
