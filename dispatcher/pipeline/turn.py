"""Waiting one's turn at the account's gate: limits, adaptive concurrency, breaker, Retry-After."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from dispatcher.errors import Denied, DispatcherError, NotSent, OutcomeUnknown, Rejected, Throttled
from dispatcher.flow import AccountGate, Go, Limit, Outcome, Sent
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.pace import Pace
from dispatcher.pipeline.slot_taker import SlotTaker

LONGEST_WAIT_S = 5.0
"""a waiter looks again at least this often, whatever the gate foretold"""


class Turnstile:
    """Lets requests through one by one as the gate allows, first come, first served.

    Every call to Hellotracks goes through it, look-ups and fleet reads too: limits are the account's.

    Args:
        gate: the account's.
        clock: source of time.
        limits: kept by this process alone.
        slots: of limits that several processes share; then there are no others.
    """

    def __init__(
        self, gate: AccountGate, clock: Clock, *, limits: Iterable[Limit] = (), slots: SlotTaker | None = None
    ) -> None:
        self.gate = gate
        self.slots = slots
        self._pace = Pace(() if slots else limits, clock)
        self._sent: dict[float, Sent] = {}
        self._clock = clock
        self._queue = asyncio.Lock()
        self._freed = asyncio.Event()
        self.waiting_for = ""
        self.last_answer_at: float | None = None
        """monotonic time at which the server last answered anything"""
        self.last_error = ""
        self.beat_at = clock.monotonic()
        """monotonic time at which the one whose turn it is last looked"""

    def change(self, *, limits: Iterable[Limit], max_concurrency: int) -> None:
        """Keep other limits from now on; whoever waits is told."""
        limits = tuple(limits)
        now = self._clock.monotonic()
        self.gate.change(now, limits=limits, max_concurrency=max_concurrency)
        if self.slots is None:
            self._pace.change(limits)
        else:
            self.slots.change(limits)
        self._freed.set()

    async def enter(self) -> float:
        """Wait until a request may start and take its slot. Returns the monotonic start, for `leave`.

        Raises:
            Denied: the server refused the key; nothing goes any more.
        """
        async with self._queue:
            while True:
                self._freed.clear()
                self.beat_at = now = self._clock.monotonic()
                answer = self.gate.ask(now)
                if isinstance(answer, Go):
                    if self.slots is not None and not self.slots.take(now):
                        await self.slots.seek()
                        continue
                    self.gate.begin(now)
                    self.waiting_for = ""
                    return now
                self.waiting_for = answer.why
                if answer.why == "denied":
                    raise Denied(self.last_error, http_status=401)
                try:
                    async with asyncio.timeout(min(answer.seconds, LONGEST_WAIT_S)):
                        await self._freed.wait()
                except TimeoutError:
                    pass

    async def pace(self, started: float) -> None:
        """Wait, right before a request goes onto the wire, until the limits allow it there too.

        `enter` spaces requests by when they were let through. What comes in between takes its time (the write of the
        attempt): requests that were held up together would go out together. And one that is late on its way must not
        arrive together with those after it.

        Args:
            started: what `enter` gave, which `leave` gets too.
        """
        if self.slots is None:
            self._sent[started] = await self._pace.wait()
        else:
            await self.slots.wait(started)

    def leave(self, started: float, error: BaseException | None) -> None:
        """Give the slot back and tell the gate how it went."""
        now = self._clock.monotonic()
        rtt_s = now - started
        sent = self._sent.pop(started, None)
        if sent is not None:
            self._pace.answered(sent, now)
        self._note(now, error)
        retry_after_s = error.retry_after_s if isinstance(error, Throttled | OutcomeUnknown) else None
        self.gate.finish(now, rtt_s, outcome_of(error), retry_after_s=retry_after_s)
        if self.slots is not None:
            asked_to = isinstance(error, Throttled) or bool(retry_after_s)
            self.slots.left(started, blocked_s=self.gate.blocked(now) if asked_to else 0.0)
        self._freed.set()

    def _note(self, now: float, error: BaseException | None) -> None:
        if isinstance(error, DispatcherError):
            self.last_error = str(error)
        away = isinstance(error, NotSent) or (isinstance(error, OutcomeUnknown) and error.http_status is None)
        if not away and not isinstance(error, asyncio.CancelledError):
            self.last_answer_at = now

    async def close(self) -> None:
        """End what runs beside the requests."""
        if self.slots is not None:
            await self.slots.close()

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """`async with turnstile.request(): await client.get_…()` with the outcome told to the gate."""
        started = await self.enter()
        try:
            await self.pace(started)
            yield
        except DispatcherError as error:
            self.leave(started, error)
            raise
        except BaseException:
            self.leave(started, asyncio.CancelledError())
            raise
        else:
            self.leave(started, None)


def outcome_of(error: BaseException | None) -> Outcome:
    """What became of a request, in the gate's words, by how it failed; None: it did not."""
    match error:
        case None:
            return "ok"
        case Throttled():
            return "throttled"
        case OutcomeUnknown():
            return "backpressure" if error.backpressure else "failed"
        case NotSent():
            return "not_sent"
        case Denied() if error.about_key:
            return "denied"
        case Rejected() | Denied():
            return "refused"
        case _:
            return "neutral"
