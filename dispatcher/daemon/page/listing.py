"""Rows of the spool for the page's tables, the latest first, a bounded piece of work at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.model.records import Receipt
from dispatcher.model.state import State
from dispatcher.pipeline import Dispatcher
from dispatcher.spool import Filter, open_view
from dispatcher.spool.view import LAST_SEQ

WINDOW_ROWS = 20_000
"""Rows that are looked through in one go,"""
LONGEST_S = 1.0
"""until so much time is over: a search for what is rare goes on where this one ended."""
MEMORY = frozenset({"memory:", ":memory:"})
MEMORY_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of rows.

    Attributes:
        rows: the latest first.
        before: where to go on from; None: there are no more.
    """

    rows: list[Receipt]
    before: int | None


async def listed(dispatcher: Dispatcher, chosen: Filter, *, before: int | None, limit: int) -> Listed:
    """The latest rows of an account that pass a filter.

    Args:
        dispatcher: the account.
        chosen: states, worker, text and newest count.
        before: only rows with a smaller number; None: from the end.
        limit: rows at most.

    Raises:
        SpoolError: the spool cannot be read.
    """
    if dispatcher.settings.spool in MEMORY:
        return await _in_memory(dispatcher, chosen, before=before or LAST_SEQ, limit=limit)
    return await asyncio.to_thread(_stored, dispatcher, chosen, before, limit, time.monotonic)


def _stored(
    dispatcher: Dispatcher, chosen: Filter, before: int | None, limit: int, clock: Callable[[], float]
) -> Listed:
    """In a thread, on a connection of its own: whoever delivers does not wait for it."""
    until = clock() + LONGEST_S
    with open_view(dispatcher.settings.spool) as view:
        at = before or view.last_seq() + 1
        # What is confirmed is in no index: it is looked through in windows. All else is found directly.
        window = WINDOW_ROWS if State.CONFIRMED in (chosen.states or State) else at
        rows: list[Receipt] = []
        while at > 1 and len(rows) < limit and clock() < until:
            after = max(at - 1 - window, 0)
            found = view.listed(dispatcher.account, chosen, limit=limit - len(rows), after=after, before=at)
            rows += found
            at = found[-1].seq if len(rows) == limit else after + 1
        return Listed(rows, at if at > 1 else None)


async def _in_memory(dispatcher: Dispatcher, chosen: Filter, *, before: int, limit: int) -> Listed:
    found: list[Receipt] = []
    after = 0
    while page := await dispatcher.page(states=chosen.states, after_seq=after, limit=MEMORY_ROWS):
        found += [row for row in page if row.seq < before and _passes(row, chosen)]
        after = page[-1].seq
    rows = found[::-1][:limit]
    return Listed(rows, rows[-1].seq if len(found) > limit else None)


def _passes(row: Receipt, chosen: Filter) -> bool:
    return (
        (chosen.worker is None or row.worker == chosen.worker)
        and (chosen.text is None or chosen.text.lower() in row.key.lower())
        and (chosen.withdrawn or not row.withdrawn)
    )
