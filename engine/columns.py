"""Jobs as columns in, decisions as columns out: for callers with numpy arrays and without a Python object per job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.batch import run_search
from engine.book import Book
from engine.clock import day_ordinal
from engine.errors import EngineError
from engine.job import MOST, ON_SITE_S, PRIORITY
from engine.registry import Entry
from engine.sphere import set_place
from engine.state import FOUND, JOB, TODAY, Records

Floats = npt.NDArray[np.float64]

DEFAULTS: Final[Mapping[str, float]] = {
    "destinationLat": np.nan,
    "destinationLng": np.nan,
    "day": 0,
    "windowStart": 0,
    "windowEnd": 0,
    "onSiteSeconds": ON_SITE_S,
    "priority": PRIORITY,
    "teamId": 0,
    "itemsToDropoff": 0,
    "itemsToPickup": 0,
}
"""The columns of numbers and what a missing one stands for."""

KEY: Final = "uidSecondary"


@dataclass(frozen=True, slots=True)
class DecisionColumns:
    """Decisions of a batch, one entry per job, in input order.

    Attributes:
        member: index into `Engine.members`, -1 for nobody, (jobs,) int32.
        distance_m: great circle from the reference position, metres, NaN for nobody, (jobs,) float64.
        added_travel_s: seconds, NaN for nobody, (jobs,) float64.
        position: place in the day route at that moment, -1 for nobody, (jobs,) int32.
        start_s: seconds since local midnight of the job's day, NaN for nobody, (jobs,) float64.
        tests: exact fit tests that the search made, (jobs,) int32.
    """

    member: npt.NDArray[np.int32]
    distance_m: Floats
    added_travel_s: Floats
    position: npt.NDArray[np.int32]
    start_s: Floats
    tests: npt.NDArray[np.int32]


def read_columns(columns: Mapping[str, Any]) -> tuple[dict[str, Floats], list[str | None] | None]:
    """Check columns as `read_job` checks a job; returns numbers by name, windows in seconds, and the keys.

    Raises:
        EngineError: names the first bad entry and its column.
    """
    for name in columns:
        if name not in DEFAULTS and name != KEY:
            raise EngineError(f"is no column, the columns are {', '.join([*DEFAULTS, KEY])}", field=name)
    length = max((len(column) for column in columns.values()), default=0)
    table: dict[str, Floats] = {}
    for name, default in DEFAULTS.items():
        column = columns.get(name)
        table[name] = np.full(length, default) if column is None else np.asarray(column, dtype=np.float64)
        if table[name].shape != (length,):
            raise EngineError(f"has {len(table[name])} entries, the longest column {length}", field=name)
    keys: list[str | None] | None = list(columns[KEY]) if KEY in columns else None
    if keys is not None and len(keys) != length:
        raise EngineError(f"has {len(keys)} entries, the longest column {length}", field=KEY)
    for name in DEFAULTS:
        if not name.startswith("destination"):
            _check(name, ~np.isfinite(table[name]), table[name])
    for name in ("day", "priority", "teamId"):
        _check(name, table[name] % 1 != 0, table[name])
    for name in ("onSiteSeconds", "itemsToDropoff", "itemsToPickup"):
        _check(name, table[name] < 0, table[name])
        table[name] = np.minimum(table[name], MOST)
    for day in np.unique(table["day"]).tolist():
        if day != 0 and day_ordinal(int(day)) is None:
            _check("day", table["day"] == day, table["day"])
    _check("priority", (table["priority"] < 0) | (table["priority"] > 10), table["priority"])
    opens, closes = _clock("windowStart", table["windowStart"]), _clock("windowEnd", table["windowEnd"])
    closes[(table["windowEnd"] == 0) | (table["windowEnd"] == 2400)] = np.inf
    _check("windowStart", opens > closes, table["windowStart"])
    table["windowStart"], table["windowEnd"] = opens, closes
    if keys is not None:
        _check_keys(keys)
    return table, keys


def decide_columns(book: Book, table: dict[str, Floats], keys: list[str | None] | None) -> DecisionColumns:
    """Decide checked columns by priority and input order."""
    for key in keys or ():
        if key is not None:
            book.drop_key(key)
    records, needs = _records(book, table)
    count = len(records)
    first = book.registry.new_handles(count) if keys is not None else 0
    records["handle"] = np.arange(first, first + count) if keys is not None else -1
    found = np.zeros(count, dtype=FOUND)
    order = np.argsort(-table["priority"], kind="stable").astype(np.int64)
    none = np.zeros(0, dtype=np.uint64)
    priorities, nothing = table["priority"][order].astype(np.int64), np.zeros((0, 0), np.int64)
    run_search(book, records, order, priorities, needs, none, found, nothing, nothing)
    nobody = found["member"] < 0
    if keys is not None:
        day_of = book.days.day_of
        for i in np.flatnonzero(~nobody).tolist():
            entry = Entry(keys[i], None, day_of[int(found["row"][i])], int(found["member"][i]))
            book.registry.add(first + i, entry)
    for name in ("distance", "added", "start"):
        found[name][nobody] = np.nan
    found["position"][nobody] = -1
    return DecisionColumns(
        *(found[name].copy() for name in ("member", "distance", "added", "position", "start", "tests"))
    )


def _records(book: Book, table: dict[str, Floats]) -> tuple[Records, npt.NDArray[np.uint64]]:
    lat, lng = table["destinationLat"].copy(), table["destinationLng"].copy()
    bad = ~((np.abs(lat) <= 90) & (np.abs(lng) <= 180)) | ((lat == 0) & (lng == 0))
    lat[bad] = lng[bad] = np.nan
    records = np.zeros(len(lat), dtype=JOB)
    set_place(records, "", lat, lng)
    records["placed"] = ~bad
    for name, column in (
        ("opens", "windowStart"), ("closes", "windowEnd"), ("on_site", "onSiteSeconds"),
        ("drop", "itemsToDropoff"), ("pick", "itemsToPickup"),
    ):  # fmt: skip
        records[name] = table[column]
    records["number"] = records["scheduled"] = records["created"] = np.inf
    for day in np.unique(table["day"]).tolist():
        records["row"][table["day"] == day] = TODAY if day == 0 else book.row(int(day))
    needs: list[int] = []
    for team in np.unique(table["teamId"]).tolist():
        if team:
            chosen = table["teamId"] == team
            records["need"][chosen], records["needs"][chosen], records["team"][chosen] = len(needs), 1, 1
            needs += book.days.traits.needed(int(team), ())
    return records, np.array(needs, dtype=np.uint64)


def _check(name: str, bad: npt.NDArray[np.bool_], column: Floats) -> None:
    if bad.any():
        index = int(np.argmax(bad))
        raise EngineError(f"{column[index]:g} cannot be read", field=name, index=index)


def _clock(name: str, column: Floats) -> Floats:
    """HHMM as seconds."""
    _check(name, (column < 0) | (column > 2400) | (column % 1 != 0) | (column % 100 >= 60), column)
    return column // 100 * 3600.0 + column % 100 * 60.0


def _check_keys(keys: list[Any]) -> None:
    seen: set[str] = set()
    for index, key in enumerate(keys):
        if key is not None and (key in seen or not isinstance(key, str)):
            raise EngineError(
                f"{key!r} is no text or stands twice (versions go through decide)", field=KEY, index=index
            )
        if key:
            seen.add(key)
