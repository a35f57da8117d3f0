"""Waiting for the outcomes of many requests at once: one look at each durable change, whoever waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from dispatcher.model.records import Change
from dispatcher.pipeline import RESTING, Dispatcher


class _Party:
    """Those jobs of one request that are not through yet."""

    __slots__ = ("over", "seqs")

    def __init__(self, seqs: Collection[int]) -> None:
        self.seqs = set(seqs)
        self.over = asyncio.Event()

    def through(self, seq: int) -> None:
        self.seqs.discard(seq)
        if not self.seqs:
            self.over.set()


class Outcomes:
    """Who waits for which job of one account."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._parties: dict[int, list[_Party]] = {}
        self._released = False
        self._unwatch = dispatcher.pipeline.journal.watch(self._watch)

    def __repr__(self) -> str:
        return f"<Outcomes {len(self._parties)} jobs waited for{', released' if self._released else ''}>"

    async def wait(self, seqs: Collection[int], *, timeout_s: float) -> None:
        """Return when all jobs are through or held, when the time is over, or when everybody is released."""
        if not seqs:
            return
        party = _Party(seqs)
        for seq in party.seqs:
            self._parties.setdefault(seq, []).append(party)
        try:
            # Watched first and looked at then, so that no change falls in between.
            for receipt in await self._dispatcher.look(party.seqs):
                if receipt.state in RESTING:
                    party.through(receipt.seq)
            if not party.over.is_set() and not self._released:
                async with asyncio.timeout(timeout_s):
                    await party.over.wait()
        except TimeoutError:
            pass
        finally:
            for seq in set(seqs):
                self._leave(seq, party)

    def release(self) -> None:
        """Let everybody go who waits, now and from now on."""
        self._released = True
        for parties in self._parties.values():
            for party in parties:
                party.over.set()

    def close(self) -> None:
        """Release, and watch no longer."""
        self.release()
        self._unwatch()

    def _watch(self, change: Change) -> None:
        if self._parties and change.to in RESTING:
            for seq in change.seqs:
                for party in self._parties.get(seq, ()):
                    party.through(seq)

    def _leave(self, seq: int, party: _Party) -> None:
        parties = self._parties.get(seq, [])
        if party in parties:
            parties.remove(party)
        if not parties:
            self._parties.pop(seq, None)
