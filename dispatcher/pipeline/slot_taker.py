"""Taking slots of limits that several processes share: asking, telling what was late, and doing without for a while."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any

from dispatcher.errors import SpoolError
from dispatcher.flow import AccountGate, GcraLimiter, Limit, Sent, SharedSlots, Slot, closes_at, opens_at, share_of
from dispatcher.model.event import Event
from dispatcher.model.slots import Permit
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.pace import Pace
from dispatcher.spool import SharedLimits

_log = logging.getLogger("dispatcher.pipeline")

AGAIN_S = 0.25
"""Between two questions that were not answered."""
SAME_MOMENT_S = 2e-6
"""A wait shorter than that is none; the gate does not know shorter ones."""
LAST_WORDS_S = 1.0
"""How long the end waits to tell what was late."""


class _Share:
    """What may be sent without asking, under one permit; None: without limits."""

    def __init__(self, permit: Permit | None, limits: tuple[Limit, ...], clock: Clock) -> None:
        self.permit = permit
        self.limiter = GcraLimiter(limits, clock.monotonic())
        self.pace = Pace(limits, clock)
        self.closes_at = math.inf if permit is None else closes_at(permit)


class SlotTaker:
    """One account's slots, for its turnstile: `seek` one, `take` it, `wait` for it at the wire, say that it is `left`.

    Questions are asked one at a time by tasks of their own: whoever waits for an answer may be cancelled, and the slot
    is there for the next.

    Args:
        account: its name.
        shared: who keeps the limits.
        limits: the account's.
        gate: told how long the limits make a request wait, and that the account is blocked.
        clock: source of time.
        rng: draws when to ask.

    Attributes:
        questions: asked so far.
    """

    def __init__(
        self,
        account: str,
        *,
        shared: SharedLimits,
        limits: Iterable[Limit],
        gate: AccountGate,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.questions = 0
        self._account = account
        self._shared = shared
        self._limits = tuple(limits)
        self._gate = gate
        self._clock = clock
        self._slots = SharedSlots(self._limits, rng)
        self._held: dict[float, Slot | _Share] = {}
        self._alone: dict[float, tuple[_Share, Sent]] = {}
        self._share: _Share | None = None
        self._away = False
        self._ask_again_at = -math.inf
        self._blocked_until = -math.inf
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def change(self, limits: Iterable[Limit]) -> None:
        """Keep other limits from now on."""
        self._limits = tuple(limits)
        self._slots.change(self._limits)
        self._share = None

    # -- before a request begins --------------------------------------------------------------------------------------

    async def seek(self) -> None:
        """Ask for a slot when it is time to; the gate is told how long it is until `take` can have one."""
        if self._due(self._clock.monotonic()):
            await self._ask(take=True)
        now = self._clock.monotonic()
        self._gate.hold(now, self._delay(now))

    def take(self, started: float) -> bool:
        """Take a slot for a request that begins now; False: none is there, `seek` one."""
        if self._delay(started):
            return False
        if self._slots.has(started):
            self._held[started] = self._slots.take(started)
        elif share := self._open_share(started):
            share.limiter.take(started)
            self._held[started] = share
        else:
            return False
        return True

    def _due(self, now: float) -> bool:
        """Whether there is something to ask for."""
        return not self._slots.has(now) and not self._rest(now)

    def _delay(self, now: float) -> float:
        """Seconds until there is something to take, or to ask for."""
        if not self._slots.has(now) and (share := self._open_share(now)):
            return share.limiter.delay(now)
        return self._rest(now)

    def _rest(self, now: float) -> float:
        wait_s = self._slots.wait(now)
        if not self._slots.has(now):
            wait_s = max(wait_s, self._ask_again_at - now)
        return wait_s if wait_s > SAME_MOMENT_S else 0.0

    def _open_share(self, now: float) -> _Share | None:
        """What may be sent without asking now; None: nothing."""
        if not self._away:
            return None
        permit = self._shared.permit if self._limits else None
        limits: tuple[Limit, ...] | None = ()
        if self._limits:
            in_time = permit is not None and opens_at(permit, self._limits) <= now < closes_at(permit)
            limits = share_of(self._limits, permit.share) if permit is not None and in_time else None
        if limits is None:
            self._share = None
        elif self._share is None or self._share.permit is not permit:
            self._share = _Share(permit, limits, self._clock)
        return self._share

    # -- at the wire --------------------------------------------------------------------------------------------------

    async def wait(self, started: float) -> None:
        """Wait, right before a request goes onto the wire, until its slot's moment; another slot when that is over."""
        self._slots.at_the_wire(started, self._clock.monotonic())
        while not await self._goes(started, self._held[started]):
            self._held[started] = await self._another()
        self._news.set()
        if self._telling is None and self._limits:
            self._telling = asyncio.create_task(self._tell(), name=f"lateness {self._account}")
            self._telling.add_done_callback(_say_why)

    async def _goes(self, started: float, held: Slot | _Share) -> bool:
        if isinstance(held, _Share):
            sent = await held.pace.wait()
            if self._clock.monotonic() < held.closes_at:
                self._alone[started] = held, sent
                return True
            return False
        while True:
            now = self._clock.monotonic()
            delay_s = self._slots.delay(held, now)
            if delay_s == 0.0:
                self._slots.sent(held, now)
                return True
            if delay_s:
                await asyncio.sleep(delay_s)
                continue
            if not self._slots.put_off(held, now):
                return False
            await self._ask(take=False)
            if self._slots.delay(held, self._clock.monotonic()) is None:
                return False

    async def _another(self) -> Slot | _Share:
        while True:
            await self.seek()
            now = self._clock.monotonic()
            if self.take(now):
                return self._held.pop(now)
            await asyncio.sleep(self._delay(now))

    def left(self, started: float, *, blocked_s: float) -> None:
        """A request was answered, or given up; the server wants everybody to wait so long (s)."""
        now = self._clock.monotonic()
        held = self._held.pop(started, None)
        if isinstance(held, Slot):
            self._slots.answered(held, now)
        if started in self._alone:
            share, sent = self._alone.pop(started)
            share.pace.answered(sent, now)
        if blocked_s:
            self._blocked_until = max(self._blocked_until, now + blocked_s)
            self._start(self._question(take=False))
        self._news.set()

    # -- asking and telling -------------------------------------------------------------------------------------------

    async def _ask(self, *, take: bool) -> None:
        """One question; goes on to its answer when the caller is cancelled."""
        await asyncio.shield(self._start(self._question(take=take)))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"slots {self._account}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _question(self, *, take: bool) -> None:
        async with self._one_at_a_time:
            asked = self._clock.monotonic()
            if take and not self._due(asked):
                return  # somebody else has asked meanwhile
            blocked_s = max(0.0, self._blocked_until - asked)
            question = self._slots.question(asked, take=take, blocked_s=blocked_s)
            self.questions += 1
            try:
                answer = await self._shared.ask(self._account, question)
            except SpoolError as error:
                self._ask_again_at = self._clock.monotonic() + AGAIN_S
                if not self._away:
                    _log.warning(
                        Event("the shared limits cannot be asked for", account=self._account, error=str(error))
                    )
                self._away = True
                return
            heard = self._clock.monotonic()
            self._away = False
            self._slots.answer(question, answer, asked=asked, heard=heard)
            if blocked_s:
                self._blocked_until = -math.inf
            if answer.blocked_s:
                self._gate.block(heard, answer.blocked_s)

    async def _tell(self) -> None:
        """Tell of what is late when no question does."""
        while True:
            self._news.clear()
            now = self._clock.monotonic()
            at = self._slots.tell_at(now)
            if at is not None and at <= now and not self._away:
                await self._question(take=False)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(None if at is None else max(at - now, AGAIN_S if self._away else 0.0)):
                    await self._news.wait()

    async def close(self) -> None:
        """Tell what was late, and end."""
        if self._telling is not None:
            self._telling.cancel()
            if self._slots.tell_at(self._clock.monotonic()) is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LAST_WORDS_S):
                        await self._ask(take=False)
        tasks = [task for task in (self._telling, *self._tasks) if task is not None]
        self._telling = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s ended", task.get_name(), exc_info=error)
