"""Access denied is not the end of a long-lived process: the account can be resumed, and nothing was lost meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dispatcher import Denied, Dispatcher, State
from dispatcher.sandbox import Sandbox, SandboxSettings


def jobs(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"uidSecondary": f"K{n}", "destinationName": f"K{n}", "destinationLat": 45.0, "destinationLng": 7.6}
        for n in range(first, first + count)
    ]


async def denied(dispatcher: Dispatcher) -> None:
    met = asyncio.Event()
    dispatcher.pipeline.on_failure(met.set)
    async with asyncio.timeout(10):
        while not isinstance(dispatcher.pipeline.failure, Denied):
            await met.wait()


@pytest.mark.parametrize("policy", ["none", "nearest"])
async def test_after_the_key_is_accepted_again_every_job_goes_out_once(tmp_path: Path, policy: str) -> None:
    """Whichever stage met the refusal first, sender or assigner: both work again."""
    strict = Sandbox(SandboxSettings(api_key="right", fleet_size=3))
    async with strict:
        spool = str(tmp_path / "spool.db")
        async with Dispatcher(base_url=strict.url, api_key="other", spool=spool, policy=policy) as d:
            receipts = await d.submit(jobs(300))
            await denied(d)
            later = await d.submit(jobs(300, first=300))
            d.pipeline.resume()
            await denied(d)
            assert (await d.counts())[State.REJECTED] == 0
            await strict.stop()
            async with Sandbox(SandboxSettings(port=strict.port, fleet_size=3)) as sandbox:  # it takes any key
                d.pipeline.resume()
                done = await d.wait([*receipts, *later], timeout_s=30)
                stats = sandbox.stats()
    assert {receipt.state for receipt in done} == {State.CONFIRMED}
    assert (stats["creates"], stats["repeats"]) == (600, 0)
