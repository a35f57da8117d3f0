"""Counts the jobs of an account as they move, and turns the counts into a second's figures."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from dispatcher.daemon.page.history import Point, quantiles
from dispatcher.errors import SpoolError
from dispatcher.model.records import Change
from dispatcher.model.state import SETTLED, State
from dispatcher.pipeline import Dispatcher

SAMPLE = 32
"""Confirmed jobs whose way is timed each second."""
MOVED = (State.ASSIGNED, State.SENDING, State.CONFIRMED, State.HELD, State.UNKNOWN, State.REJECTED, State.DEAD)
PATIENCE_S = 0.5
"""A spool that does not answer within so long does not hold the picture up; it shows what was known."""
AGAIN = (State.HELD, State.UNKNOWN)
_SMOOTH = 0.35
"""Weight of the newest second in the rates beside the picture: they settle within some seconds and do not flicker."""

_Answer = tuple[dict[State, int], float | None, float | None]
"""Rows by state, and how long the middle one and the slowest of 95 in 100 confirmed jobs took."""


@dataclass(slots=True)
class _Second:
    """What was counted since the last point."""

    moved: dict[State, int] = field(default_factory=lambda: dict.fromkeys(MOVED, 0))
    confirmed: list[int] = field(default_factory=list)


class Flow:
    """Watches one account.

    Args:
        dispatcher: open.
        rng: which confirmed jobs are timed.
    """

    def __init__(self, dispatcher: Dispatcher, rng: random.Random) -> None:
        self.dispatcher = dispatcher
        self.counts: dict[State, int] = dict.fromkeys(State, 0)
        self.rates: dict[str, float] = dict.fromkeys(("accepted", *MOVED), 0.0)
        self._rng = rng
        self._second = _Second()
        self._at: float | None = None
        self._seen = 0
        self._outcomes: dict[str, int] = {}
        self._durable = (0, 0.0)
        self._asking: asyncio.Task[_Answer] | None = None
        self._unwatch = dispatcher.pipeline.journal.watch(self._watch)

    def close(self) -> None:
        """Watch no longer."""
        self._unwatch()
        if self._asking is not None:
            self._asking.cancel()

    async def point(self, *, accepted: int, durable: tuple[int, float]) -> Point:
        """The figures since the last call.

        Args:
            accepted: jobs accepted since the start.
            durable: requests made durable since the start, and the seconds that they waited in all.
        """
        pipeline = self.dispatcher.pipeline
        gate = pipeline.turnstile.gate.snapshot(pipeline.clock.monotonic())
        now = pipeline.clock.now()
        since_s = max(now - self._at, 1e-3) if self._at is not None else 1.0
        second, self._second = self._second, _Second()
        fresh = accepted - self._seen if self._at is not None else 0
        requests, waited_s = durable[0] - self._durable[0], durable[1] - self._durable[1]
        outcomes: dict[str, int] = {str(name): count for name, count in gate.outcomes.items()}
        earlier = self._outcomes or outcomes
        self._at, self._seen, self._durable, self._outcomes = now, accepted, durable, outcomes
        before = self.counts
        self.counts, half, most = await self._ask(second.confirmed)
        counts = self.counts
        for state in AGAIN:  # what is offered or looked up again stays where it is
            second.moved[state] = max(0, counts[state] - before[state])
        self._smooth("accepted", fresh / since_s)
        for state, moved in second.moved.items():
            self._smooth(state, moved / since_s)
        return Point(
            at=now,
            accepted=fresh / since_s,
            confirmed=second.moved[State.CONFIRMED] / since_s,
            failed=(second.moved[State.REJECTED] + second.moved[State.DEAD]) / since_s,
            waiting=counts[State.ACCEPTED] + counts[State.ASSIGNED] + counts[State.SENDING],
            held=counts[State.HELD],
            unknown=counts[State.UNKNOWN],
            delivery_p50_s=half,
            delivery_p95_s=most,
            commit_ms=1e3 * waited_s / requests if requests > 0 else None,
            round_trip_ms=None if gate.rtt_s is None else 1e3 * gate.rtt_s,
            limit=gate.concurrency,
            in_flight=gate.in_flight,
            throttled=outcomes["throttled"] - earlier["throttled"],
            pushed_back=outcomes["backpressure"] - earlier["backpressure"],
        )

    def _watch(self, change: Change) -> None:
        if change.to not in self._second.moved:
            return
        self._second.moved[change.to] += len(change.seqs)
        if change.to is State.CONFIRMED:
            kept = self._second.confirmed
            # Some of each change: those of one request are through together, so a few stand for all.
            kept += change.seqs if len(change.seqs) <= 2 else self._rng.sample(list(change.seqs), 2)
            if len(kept) > 4 * SAMPLE:
                self._second.confirmed = self._rng.sample(kept, SAMPLE)

    async def _ask(self, confirmed: list[int]) -> _Answer:
        """What the spool says now, and what it said before when it cannot be asked."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._read(confirmed), name=f"flow {self.dispatcher.account}")
        await asyncio.wait([self._asking], timeout=PATIENCE_S)
        try:
            return self._asking.result() if self._asking.done() else (self.counts, None, None)
        except SpoolError:
            return self.counts, None, None

    async def _read(self, confirmed: list[int]) -> _Answer:
        return await self.dispatcher.counts(), *await self._delivery(confirmed)

    async def _delivery(self, seqs: list[int]) -> tuple[float | None, float | None]:
        if not seqs:
            return None, None
        if len(seqs) > SAMPLE:
            seqs = self._rng.sample(seqs, SAMPLE)
        receipts = await self.dispatcher.look(seqs)
        return quantiles(row.updated_at - row.accepted_at for row in receipts if row.state in SETTLED)

    def _smooth(self, name: str, rate: float) -> None:
        smoothed = _SMOOTH * rate + (1 - _SMOOTH) * self.rates[name]
        self.rates[name] = smoothed if smoothed >= 0.05 else 0.0
