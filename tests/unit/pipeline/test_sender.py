"""Between the claim and the request: what the store says when `sending` is written decides what goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dispatcher import Dispatcher, State
from dispatcher.model.records import Change
from dispatcher.pipeline.moves import COMMIT_S
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.spool import MemorySpool

SETTINGS: dict[str, Any] = {"api_key": "k", "policy": "none", "fallback": "unassigned"}
JOBS = [
    {"uidSecondary": f"K-{n}", "destinationName": "x", "destinationLat": 45.07, "destinationLng": 7.69, "day": 20310106}
    for n in range(3)
]


class Meddling(MemorySpool):
    """Somebody gives up the first job in the very moment before its request is written."""

    async def apply(self, changes: Sequence[Change], *, now: float) -> list[int]:
        first = changes[0].seqs[0]
        if changes[0].to is State.SENDING and first == 1:
            await super().apply([Change(seqs=[first], to=State.DEAD, expect=(State.ASSIGNED,))], now=now)
        return await super().apply(changes, now=now)


class Slow(MemorySpool):
    """The first write of `sending` takes longer than a request may wait for it."""

    slept = False

    async def apply(self, changes: Sequence[Change], *, now: float) -> list[int]:
        left = await super().apply(changes, now=now)
        if changes[0].to is State.SENDING and not self.slept:
            self.slept = True
            await asyncio.sleep(COMMIT_S + 0.1)
        return left


async def test_a_job_that_somebody_moved_after_the_claim_does_not_go_out() -> None:
    async with (
        Sandbox(SandboxSettings(fleet_size=1)) as sandbox,
        Dispatcher(base_url=sandbox.url, spool=Meddling(), **SETTINGS) as dispatcher,
    ):
        accepted = await dispatcher.submit(JOBS)
        await dispatcher.wait(accepted[1:], timeout_s=20)
        receipts = await dispatcher.page()
        assert [receipt.state for receipt in receipts] == [State.DEAD, State.CONFIRMED, State.CONFIRMED]
        assert [sandbox.sends(f"K-{n}") for n in range(3)] == [0, 1, 1]


async def test_a_request_whose_write_took_too_long_is_written_again_before_it_goes_out() -> None:
    async with (
        Sandbox(SandboxSettings(fleet_size=1)) as sandbox,
        Dispatcher(base_url=sandbox.url, spool=Slow(), **SETTINGS) as dispatcher,
    ):
        receipts = await dispatcher.wait(await dispatcher.submit(JOBS), timeout_s=20)
        assert {receipt.state for receipt in receipts} == {State.CONFIRMED}
        assert {receipt.attempts for receipt in receipts} == {1}
        assert (sandbox.stats()["creates"], sandbox.stats()["repeats"]) == (3, 0)
