"""Waiting for jobs to be through, whichever process settles them: one look at each change, one question for all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress

from dispatcher.errors import SpoolError
from dispatcher.model.event import Event
from dispatcher.model.records import Change
from dispatcher.model.state import SETTLED, State
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.journal import Journal
from dispatcher.spool import Cluster

_log = logging.getLogger("dispatcher.pipeline")

RESTING = SETTLED | {State.HELD}
"""Where nothing happens soon without something new: such a job counts as through."""
EVERY_S = 0.25
"""Between two questions while somebody waits and nothing was heard."""
ALONE_S = 1.0
"""The same while there is no other node; a person may still take a job back from outside."""
CLOSE_S = 0.05
"""Between two questions at least, whatever is heard."""
SHARE = 0.05
"""Of the time: a question that took long is followed by a longer pause."""
PAGE_ROWS = 5000

Told = Callable[[Sequence[int]], None]


class _Party:
    """Those jobs of one caller that are not through yet."""

    __slots__ = ("told",)

    def __init__(self, told: Told) -> None:
        self.told = told


class Lookout:
    """Tells callers when jobs are through.

    What this process writes is known at once. Where other processes write too, the spool is asked: for all jobs that
    anybody waits for together, soon after a hint and otherwise now and then.

    Args:
        account: its name.
        clock: source of time.
        journal: of this process.
        cluster: the others; None: there are none, and the spool is not asked.
    """

    def __init__(self, account: str, clock: Clock, *, journal: Journal, cluster: Cluster | None) -> None:
        self._account = account
        self._clock = clock
        self._cluster = cluster
        self._parties: dict[int, list[_Party]] = {}
        self._some = asyncio.Event()
        self._woken = asyncio.Event()
        journal.watch(self._watch)

    def __repr__(self) -> str:
        return f"<Lookout {self._account}: {len(self._parties)} jobs waited for>"

    def wait_for(self, seqs: Collection[int], told: Told) -> Callable[[], None]:
        """Call `told(rows)` when some of these rows are through, each row once; the returned function ends it.

        What was through before may never be told: look after you have begun to wait.
        """
        party = _Party(told)
        for seq in seqs:
            self._parties.setdefault(seq, []).append(party)
        self._some.set()
        mine = tuple(seqs)

        def leave() -> None:
            for seq in mine:
                parties = self._parties.get(seq)
                if parties is not None and party in parties:
                    parties.remove(party)
                    if not parties:
                        del self._parties[seq]

        return leave

    def wake(self) -> None:
        """Another process has settled something."""
        self._woken.set()

    async def run(self) -> None:
        """Ask the spool until cancelled, while somebody waits."""
        cluster = self._cluster
        while cluster is not None:
            self._some.clear()
            if not self._parties:
                await self._some.wait()
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S if cluster.peers else ALONE_S):
                    await self._woken.wait()
            began = self._clock.monotonic()
            try:
                await self._ask(cluster)
            except SpoolError as error:
                _log.warning(Event("outcomes not asked for", account=self._account, error=str(error)))
            took_s = self._clock.monotonic() - began
            await asyncio.sleep(max(CLOSE_S, took_s * (1 / SHARE - 1)))

    async def _ask(self, cluster: Cluster) -> None:
        waited_for = sorted(self._parties)
        for first in range(0, len(waited_for), PAGE_ROWS):
            self._through(await cluster.through(self._account, waited_for[first : first + PAGE_ROWS]))

    def _watch(self, change: Change) -> None:
        if self._parties and change.to in RESTING:
            self._through(change.seqs)

    def _through(self, seqs: Iterable[int]) -> None:
        told: dict[_Party, list[int]] = {}
        for seq in seqs:
            for party in self._parties.pop(seq, ()):
                told.setdefault(party, []).append(seq)
        for party, rows in told.items():
            party.told(rows)
