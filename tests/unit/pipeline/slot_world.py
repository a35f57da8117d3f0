"""Several senders, a row of shared limits and a server, on one virtual clock that nobody of them can read."""

from __future__ import annotations

import asyncio
import itertools
import random
import selectors
from collections.abc import Callable
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any

from dispatcher.errors import SpoolError
from dispatcher.flow import AccountGate, Limit
from dispatcher.model.slots import Permit, SlotAnswer, SlotAsk
from dispatcher.pipeline.slot_taker import SlotTaker
from dispatcher.pipeline.turn import Turnstile
from tests.unit.flow.limits_row import LimitsRow

ACTING: ContextVar[Sender | None] = ContextVar("acting", default=None)
WAY_S = 0.01
"""To the server, and the same back."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything is at work, and jumps to the next timer. A sender's are as late as it is."""

    def __init__(self) -> None:
        self._virtual_s = 1000.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._virtual_s

    def jump(self, seconds: float) -> None:
        self._virtual_s += seconds

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        sender = ACTING.get()
        return super().call_at(sender.wakes(when) if sender else when, callback, *args, context=context)


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if not events and timeout is not None and timeout > 0:
            self._loop.jump(timeout)
        return events


@dataclass
class Weather:
    """How bad it is (s); every number is the most that is drawn."""

    wake_s: float = 0.002
    late_s: float = 0.0
    late_share: float = 0.0
    work_s: float = 0.0
    ask_s: float = 0.003
    slow_ask_s: float = 0.0
    lost_share: float = 0.0
    write_s: float = 0.005
    pause_s: float = 0.0
    pauses_every_s: float = 1.0


class SkewedClock:
    """A sender's clock: off by any amount."""

    def __init__(self, loop: JumpingLoop, offset_s: float) -> None:
        self._loop = loop
        self._offset_s = offset_s

    def monotonic(self) -> float:
        return self._loop.time() + self._offset_s

    now = wall = monotonic


class World:
    """Where it all takes place."""

    def __init__(self, limits: list[Limit], *, seed: int, weather: Weather | None = None, senders: int = 1) -> None:
        self.loop = JumpingLoop()
        self.rng = random.Random(seed)
        self.limits = limits
        self.weather = weather or Weather()
        self.row = LimitsRow()
        self.clock_s = self.rng.uniform(0.0, 1e9)
        self.arrivals: list[float] = []
        self.senders = [Sender(self, number) for number in range(senders)]

    def run(self, seconds: float, *events: tuple[float, Callable[[], None]]) -> None:
        """Let all senders send as much as they may for so long; things happen at moments from the start."""
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._run(seconds, events))

    async def _run(self, seconds: float, events: tuple[tuple[float, Callable[[], None]], ...]) -> None:
        start = self.loop.time()
        for at, event in events:
            self.loop.call_at(start + at, event)
        tasks = []
        for sender in self.senders:
            token = ACTING.set(sender)
            tasks.append(asyncio.create_task(sender.work()))
            ACTING.reset(token)
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for sender in self.senders:
            await sender.turnstile.close()

    def crowded(self) -> str:
        """The first window that holds too many, in words; "" when none does."""
        ordered = sorted(self.arrivals)
        for limit in self.limits:
            for first, last in zip(ordered, ordered[limit.count :], strict=False):
                if last - first < limit.window_s - 1e-6:
                    return f"{limit.count + 1} within {last - first:.4f} s at {first:.3f}, the limit is {limit}"
        return ""

    def per_s(self, after_s: float = 0.0) -> float:
        """Arrivals a second, from so long after the first one on."""
        ordered = [at for at in sorted(self.arrivals) if at >= min(self.arrivals) + after_s]
        return (len(ordered) - 1) / (ordered[-1] - ordered[0])

    def outside(self, at: float, callback: Callable[[], None]) -> None:
        """Call it then, whatever becomes of the sender that asks for it."""
        Context().run(self.loop.call_at, at, callback)

    @property
    def database_clock(self) -> float:
        return self.loop.time() + self.clock_s


@dataclass
class Sender:
    """One process: a turnstile, its clock, its pauses. It is its own `SharedLimits`."""

    world: World
    number: int
    permit: Permit | None = None
    sent: int = 0
    contacts: bool = False
    way_s: float = WAY_S
    cuts: list[tuple[float, float]] = field(default_factory=list)
    """from when to when it cannot reach the database"""
    alone: set[float] = field(default_factory=set)
    """arrivals of what it sent without a slot"""
    _heard: float = 0.0
    _requests: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        world, rng = self.world, self.world.rng
        self.clock = SkewedClock(world.loop, rng.uniform(-1e6, 1e6))
        self.pauses = self._draw_pauses()
        self.gate = AccountGate(
            limits=world.limits, max_concurrency=32, now=self.clock.monotonic(), rng=rng, shared=True
        )
        self.slots = SlotTaker(
            "acme", shared=self, limits=world.limits, gate=self.gate, clock=self.clock, rng=random.Random(rng.random())
        )
        self.turnstile = Turnstile(self.gate, self.clock, limits=world.limits, slots=self.slots)

    def _draw_pauses(self) -> list[tuple[float, float]]:
        weather, rng, at = self.world.weather, self.world.rng, self.world.loop.time()
        pauses = []
        while weather.pause_s and at < self.world.loop.time() + 1000:
            at += rng.expovariate(1.0 / weather.pauses_every_s)
            pauses.append((at, at + rng.uniform(0.0, weather.pause_s)))
            at = pauses[-1][1]
        return pauses

    def wakes(self, when: float) -> float:
        """When it does what it should do then."""
        when += self.world.rng.uniform(0.0, self.world.weather.wake_s)
        for begin, end in self.pauses:
            if begin <= when < end:
                return end
            if begin > when:
                break
        return when

    async def work(self) -> None:
        """Send as much as may be."""
        if self.contacts:
            self._start(self._keep_in_contact())
        try:
            while True:
                started = await self.turnstile.enter()
                self._start(self._request(started))
        finally:
            for task in self._requests:
                task.cancel()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _request(self, started: float) -> None:
        world, weather, rng = self.world, self.world.weather, self.world.rng
        await asyncio.sleep(rng.uniform(0.0, weather.write_s))
        await self.turnstile.pace(started)
        late_s = rng.uniform(0.0, weather.late_s) if rng.random() < weather.late_share else 0.0
        arrives = world.loop.time() + self.way_s + late_s
        world.arrivals.append(arrives)
        self.sent += 1
        if started in self.slots._alone:
            self.alone.add(arrives)
        await self._hears(arrives + rng.choice((0.0, weather.work_s)) + self.way_s)
        self.turnstile.leave(started, None)

    async def _hears(self, at: float) -> None:
        """Of something that comes then."""
        heard = self.world.loop.create_future()
        self.world.outside(self.wakes(at), lambda: None if heard.done() else heard.set_result(None))
        await heard

    async def ask(self, account: str, question: SlotAsk) -> SlotAnswer:
        assert account == "acme"
        asked, answered = self._trip()
        answers: list[SlotAnswer] = []

        def arrives() -> None:
            if self._reaches():
                row, clock = self.world.row, self.world.database_clock
                answers.append(row.ask(question, asked=asked + self.world.clock_s, clock=clock))

        self.world.outside(asked + (answered - asked) * self.world.rng.random(), arrives)
        await self._hears(answered)
        if not answers or self.world.rng.random() < self.world.weather.lost_share:
            raise SpoolError("the database is away")
        return answers[0]

    def _reaches(self) -> bool:
        now = self.world.loop.time()
        return not any(begin <= now < end for begin, end in self.cuts)

    def _trip(self) -> tuple[float, float]:
        """When a question comes in, and when its answer comes back."""
        weather, rng = self.world.weather, self.world.rng
        took = weather.slow_ask_s if rng.random() < 0.05 else weather.ask_s
        asked = self.world.loop.time() + rng.uniform(0.0, took) / 2
        return asked, asked + rng.uniform(0.0, took)

    async def _keep_in_contact(self, lease_s: float = 15.0) -> None:
        while True:
            asked_at = self.clock.monotonic()
            asked, answered = self._trip()
            told: list[tuple[float, float]] = []

            def arrives(told: list[tuple[float, float]] = told) -> None:
                if self._reaches():
                    clock = self.world.database_clock
                    share = self.world.row.contact(
                        self.number,
                        lease_s=lease_s,
                        quiet_s=0.4 * lease_s,
                        settle_s=1.75,
                        heard=self._heard,
                        clock=clock,
                    )
                    told.append((clock, share))

            self.world.outside(asked, arrives)
            await self._hears(answered)
            if told and self.world.rng.random() >= self.world.weather.lost_share:
                self._heard, share = told[0]
                self.permit = Permit(
                    asked_at=asked_at,
                    heard_at=self.clock.monotonic(),
                    share=share,
                    quiet_s=0.4 * lease_s,
                    settle_s=1.75,
                    lease_s=lease_s,
                )
            await asyncio.sleep(lease_s / 10)


def shares(world: World) -> list[float]:
    """What each sender has sent, of all that was sent."""
    return [sender.sent / len(world.arrivals) for sender in world.senders]


def gaps(world: World) -> list[float]:
    """Between arrivals."""
    return [later - earlier for earlier, later in itertools.pairwise(sorted(world.arrivals))]
