"""The one way a job changes state: write it, then tell whoever watches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from dispatcher.errors import SpoolError
from dispatcher.model.event import Event
from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.pipeline.clock import Clock
from dispatcher.spool import Spool

_log = logging.getLogger("dispatcher.pipeline")

RETRY_S = 1.0
"""pause before a change that the disk refused is written again"""

Watcher = Callable[[Change], None]


class Journal:
    """Writes changes to the spool and tells the watchers once they are durable.

    What was learnt from the server is never dropped because a disk is full: the write is repeated until it passes.
    Should the process end first, the job reads as unknown and is looked up.
    """

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._watchers: list[Watcher] = []
        self.moved = dict.fromkeys(State, 0)
        """jobs that came into each state since the start, by a written change"""

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher(change)` after each durable change; the returned function ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    async def write(self, changes: Sequence[Change]) -> set[int]:
        """Write all changes in one transaction, again and again until the store takes them.

        Returns the rows that were left alone, because somebody else had moved them meanwhile.
        """
        if not changes:
            return set()
        while True:
            try:
                skipped = set(await self._spool.apply(changes, now=self._clock.now()))
            except SpoolError as error:
                _log.error(Event("spool refused a change", error=str(error), retry_s=RETRY_S))
                await asyncio.sleep(RETRY_S)
            else:
                self._tell(changes, skipped)
                return skipped

    def _tell(self, changes: Sequence[Change], skipped: set[int]) -> None:
        if skipped:
            _log.warning("%d rows were not in the expected state and were left alone", len(skipped))
        for change in changes:
            told = change if not skipped else _without(change, skipped)
            self.moved[told.to] += len(told.seqs)
            for watcher in tuple(self._watchers):
                watcher(told)


def _without(change: Change, skipped: set[int]) -> Change:
    kept = [index for index, seq in enumerate(change.seqs) if seq not in skipped]

    return Change(
        seqs=[change.seqs[index] for index in kept],
        to=change.to,
        expect=change.expect,
        workers=_pick(change.workers, kept),
        autoassign=change.autoassign,
        notes=_pick(change.notes, kept),
        remote_ids=_pick(change.remote_ids, kept),
        next_at=change.next_at,
        error=change.error,
    )


def _pick(column: Sequence[str | None] | None, kept: Sequence[int]) -> list[str | None] | None:
    return None if column is None else [column[index] for index in kept]


def wakes(change: Change) -> State | None:
    """The state whose stage has work after this change; None when nobody has."""
    return change.to if change.seqs and not change.to.settled and change.to is not State.SENDING else None
