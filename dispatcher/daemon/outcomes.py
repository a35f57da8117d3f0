"""Waiting for the outcomes of requests: until all jobs of one are through, its time is over, or the daemon stops."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from dispatcher.pipeline import RESTING, Dispatcher


class _Party:
    """Those jobs of one request that are not through yet."""

    __slots__ = ("over", "seqs")

    def __init__(self, seqs: Collection[int]) -> None:
        self.seqs = set(seqs)
        self.over = asyncio.Event()

    def through(self, seqs: Iterable[int]) -> None:
        self.seqs.difference_update(seqs)
        if not self.seqs:
            self.over.set()


class Outcomes:
    """Who waits for the jobs of one account."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._parties: set[_Party] = set()
        self._released = False

    def __repr__(self) -> str:
        return f"<Outcomes {len(self._parties)} requests wait{', released' if self._released else ''}>"

    async def wait(self, seqs: Collection[int], *, timeout_s: float) -> None:
        """Return when all jobs are through or held, when the time is over, or when everybody is released."""
        if not seqs:
            return
        party = _Party(seqs)
        self._parties.add(party)
        leave = self._dispatcher.pipeline.lookout.wait_for(party.seqs, party.through)
        try:
            # Waited for first and looked at then, so that no change falls in between.
            party.through([one.seq for one in await self._dispatcher.look(party.seqs) if one.state in RESTING])
            if not party.over.is_set() and not self._released:
                async with asyncio.timeout(timeout_s):
                    await party.over.wait()
        except TimeoutError:
            pass
        finally:
            leave()
            self._parties.discard(party)

    def release(self) -> None:
        """Let everybody go who waits, now and from now on."""
        self._released = True
        for party in self._parties:
            party.over.set()
