"""Closing gives everything back, also when it is cancelled in the middle."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher import Dispatcher, MemorySpool, State
from dispatcher.sandbox import Sandbox, SandboxSettings, generated_jobs


async def test_a_close_that_is_cancelled_cuts_requests_off_and_still_gives_everything_back() -> None:
    """The request under way stays `sending`, for the next start to look up; no task is left, the spool is closed."""
    spool = MemorySpool()
    async with Sandbox(SandboxSettings(fleet_size=1, latency_s=5.0)) as sandbox:
        dispatcher = Dispatcher(base_url=sandbox.url, api_key="k", policy="none", spool=spool, shutdown_grace_s=30)
        await dispatcher.__aenter__()
        await dispatcher.submit(generated_jobs(3, seed=1, day=20310106))
        while not sandbox.stats()["in_flight"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        before = asyncio.all_tasks()
        closing = asyncio.create_task(dispatcher.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(2):
                await closing
        left = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()} if task in before]
        assert not [name for name in left if name.startswith(("sender", "assigner", "resolver", "send "))]
        assert "closed" in repr(spool)
        assert await spool.open(now=0.0) == 3
        assert (await spool.counts("default"))[State.UNKNOWN] == 3
