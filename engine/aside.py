"""A question about a job that is a stop already is asked as if it were none: the stop is set aside and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engine.book import Book
from engine.records import stop_record
from engine.state import Records


@contextmanager
def set_aside(book: Book, key: str | None) -> Iterator[None]:
    """While this lasts, the stops with a key are not in their routes."""
    taken: list[tuple[int, int, int, Records]] = []
    for handle in book.registry.of_key(key) if key is not None else ():
        entry = book.registry[handle]
        record = stop_record(book.days.stop(entry.day, entry.member, handle))
        position = book.days.take_out(entry.day, entry.member, handle)
        taken.append((entry.day, entry.member, position, record))
    try:
        yield
    finally:
        for day, member, position, record in reversed(taken):
            book.days.put_back(record, book.days.slot(day, member), position)
