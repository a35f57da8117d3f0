"""A whole day as the server has it now: routes that differ are laid anew, those that are the same stay as they are."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from engine.book import Book
from engine.clock import day_ordinal
from engine.errors import EngineError
from engine.job import Job, read_stop
from engine.records import job_records
from engine.registry import Entry


class _Wanted(NamedTuple):
    """A stop that the server has."""

    stop: Job
    mark: int

    @property
    def name(self) -> tuple[str | None, str | None, int]:
        return self.stop.key, self.stop.uid, self.mark


def relay_day(book: Book, day: int, records: Iterable[object], keep: Collection[str]) -> int:
    """Make a day's routes those of a listing (see `Engine.replace_day`); returns how many were laid anew."""
    ordinal = day_ordinal(day)
    if ordinal is None:
        raise EngineError(f"{day} is no day YYYYMMDD", field="day")
    if not book.members or ordinal < book.days.first_today:
        return 0
    wanted = _by_member(book, ordinal, records, keep)
    present = _present(book, ordinal, keep)
    differ = [
        member
        for member in present.keys() | wanted.keys()
        if [_name(book, handle) for handle in present.get(member, ())] != [one.name for one in wanted.get(member, ())]
    ]
    for member in differ:
        for handle in present.get(member, ()):
            book.drop(handle)
    _lay(book, ordinal, {member: wanted[member] for member in sorted(differ) if member in wanted}, set(differ))
    return len(differ)


def _by_member(book: Book, ordinal: int, records: Iterable[object], keep: Collection[str]) -> dict[int, list[_Wanted]]:
    """The listing's stops of this day by member, each route in its order."""
    wanted: dict[int, list[_Wanted]] = {}
    for record in records:
        stop = read_stop(record) if isinstance(record, Mapping) else None
        if stop is None or day_ordinal(stop.day) != ordinal or stop.key in keep or stop.uid in keep:
            continue
        member = book.named_member(stop)
        if member is not None:
            wanted.setdefault(member, []).append(_Wanted(stop, _mark(stop)))
    for stops in wanted.values():
        stops.sort(key=lambda one: (one.stop.number, one.stop.scheduled, one.stop.created))
    return wanted


def _present(book: Book, ordinal: int, keep: Collection[str]) -> dict[int, list[int]]:
    """Handles of the stops of this day by member, in the order of the route, without those that are kept."""
    days, registry = book.days, book.registry
    first = days.row(ordinal) * days.capacity
    state = days.state
    slots = state.slots[first : first + days.count]
    present: dict[int, list[int]] = {}
    for member in slots["n"].nonzero()[0].tolist():
        begin = int(slots["offset"][member])
        handles = state.stops["handle"][begin : begin + int(slots["n"][member])].tolist()
        there = [h for h in handles if registry[h].key not in keep and registry[h].uid not in keep]
        if there:
            present[member] = there
    return present


def _lay(book: Book, ordinal: int, routes: Mapping[int, list[_Wanted]], differ: Collection[int]) -> None:
    """Enter the stops of these routes; the same stops elsewhere, but in routes of this day that are right, leave."""
    registry, days = book.registry, book.days
    for stops in routes.values():
        for one in stops:
            for handle in _namesakes(book, one.stop):
                entry = registry[handle]
                if entry.day != ordinal or entry.member in differ:
                    book.drop(handle)
    flat = [(one, member) for member, stops in routes.items() for one in stops]
    if not flat:
        return
    first = registry.new_handles(len(flat))
    row = days.row(ordinal) * days.capacity
    days.enter(
        job_records([one.stop for one, _ in flat], first), [row + member for _, member in flat], behind_floor=False
    )
    for handle, (one, member) in enumerate(flat, first):
        registry.add(handle, Entry(one.stop.key, one.stop.uid, ordinal, member, one.mark))


def _namesakes(book: Book, stop: Job) -> tuple[int, ...]:
    registry = book.registry
    found = registry.of_key(stop.key) if stop.key else ()
    by_id = registry.of_name(stop.uid) if stop.uid else ()
    return tuple(dict.fromkeys((*found, *by_id)))


def _name(book: Book, handle: int) -> tuple[str | None, str | None, int]:
    entry = book.registry[handle]
    return entry.key, entry.uid, entry.mark


def _mark(stop: Job) -> int:
    """A number that says what a saved stop asks for and where it stands; never 0, which is for stops decided here."""
    place = None if math.isnan(stop.lat) else (stop.lat, stop.lng)
    return (
        hash((
            place, stop.opens_s, stop.closes_s, stop.on_site_s, stop.drop, stop.pick,
            stop.number, stop.scheduled, stop.created, stop.checked_in,
        ))
        or 1
    )  # fmt: skip
