"""Limits hold where they are measured, at the server, whatever holds requests up behind the gate."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

from dispatcher import Dispatcher
from dispatcher.flow import AccountGate, parse_limits
from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.pipeline.clock import SystemClock
from dispatcher.pipeline.turn import Turnstile
from dispatcher.sandbox import Sandbox, SandboxSettings, generated_jobs
from dispatcher.spool import MemorySpool


class Stopping(MemorySpool):
    """A disk that stops for 0.3 s now and then: all who write meanwhile are through at the same moment."""

    async def apply(self, changes: Sequence[Change], *, now: float) -> list[int]:
        if changes[0].to is State.SENDING and now % 1.0 < 0.3:
            await asyncio.sleep(0.3 - now % 1.0)
        return await super().apply(changes, now=now)


async def test_requests_that_are_ready_at_the_same_moment_go_out_one_by_one() -> None:
    clock = SystemClock()
    limits = parse_limits("50/s")
    gate = AccountGate(limits=limits, max_concurrency=20, now=clock.monotonic(), rng=random.Random(1))
    turnstile = Turnstile(gate, clock, limits=limits)
    sent: list[float] = []

    async def go(started: float) -> None:
        await turnstile.pace(started)
        sent.append(time.monotonic())

    await asyncio.gather(*(go(float(number)) for number in range(10)))
    assert sent[-1] - sent[0] >= 0.17  # nine intervals of 20.8 ms, less the burst of 12 ms


async def test_limits_hold_at_the_server_when_the_disk_stops_now_and_then() -> None:
    async with Sandbox(SandboxSettings(fleet_size=1, latency_s=0.02)) as sandbox:
        settings = {"base_url": sandbox.url, "api_key": "k", "policy": "none", "limits": "20/s", "max_batch_jobs": 5}
        async with Dispatcher(spool=Stopping(), **settings) as dispatcher:  # type: ignore[arg-type]
            jobs = list(generated_jobs(350, seed=1, day=20310106))
            await dispatcher.wait(await dispatcher.submit(jobs), timeout_s=30)
        times = sandbox.arrivals["/api/createjobs"]
        assert len(times) == 70
        assert max(sum(first <= t < first + 1.0 for t in times) for first in times) <= 20
