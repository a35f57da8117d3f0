"""Three daemons on one database keep to an account's limits together, as the server counts."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.acceptance.serving import DAY, Served, daemon_process, job
from tests.acceptance.test_hostile import busiest

NAMES = ("north", "east", "south")
CREATE = "/api/createjobs"


@contextlib.asynccontextmanager
async def daemons(folder: Path, url: str, dsn: str, limits: str) -> AsyncIterator[list[Served]]:
    """Three of them, each a process, with one job in a request."""
    with contextlib.ExitStack() as stack:
        served = []
        for name in NAMES:
            (folder / name).mkdir()
            flags = ("--spool", dsn, "--node", name, "--limits", limits, "--max-batch-jobs", "1")
            process = daemon_process(folder / name, url, *flags, DISPATCHER_API_KEY="right")
            served.append(await asyncio.to_thread(stack.enter_context, process))
        yield served


async def hand_in(served: list[Served], jobs: int) -> None:
    """As many to each daemon."""
    for daemon in served:
        batch = [job(f"{daemon.netloc}-{number}", day=DAY) for number in range(jobs)]
        answer = await asyncio.to_thread(daemon.create, *batch, at_once=True)
        assert answer.status == 202, answer.body


async def requests(daemon: Served) -> float:
    """Createjobs requests that a daemon has sent, as it counts them."""
    metrics = (await asyncio.to_thread(daemon.get, "/metrics")).body.decode()
    lines = [line for line in metrics.splitlines() if line.startswith("dispatcher_create_requests_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("limits", "windows", "per_s"), [("20/s, 300/min", {1.0: 20, 60.0: 300}, 5.0), ("20/s", {1.0: 20}, 20.0)]
)
async def test_three_daemons_never_pass_the_limits_and_use_most(
    tmp_path: Path, dsn: str, limits: str, windows: dict[float, int], per_s: float
) -> None:
    """Counted by the arrival of every request, with the same limits at the server, which refuses what is too much.

    What is used is asked for as far as a busy machine can keep it; `benchmarks.limits` measures it.
    """
    async with (
        Sandbox(SandboxSettings(api_key="right", fleet_size=1, latency_s=0.02, limits=limits)) as sandbox,
        daemons(tmp_path, sandbox.url, dsn, limits) as served,
    ):
        await hand_in(served, 400)
        await asyncio.sleep(25.0)
        sent = [await requests(daemon) for daemon in served]
        times = sorted(at for path in sandbox.arrivals.values() for at in path)
        assert sandbox.stats()["limit_violations"] == 0
    for window_s, most in windows.items():
        assert busiest(times, window_s) <= most
    steady = [at for at in times if at > times[0] + 3.0]
    assert (len(steady) - 1) / (steady[-1] - steady[0]) >= 0.7 * per_s
    assert min(sent) >= 0.1 * sum(sent), sent


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_one_429_silences_all_three(tmp_path: Path, dsn: str) -> None:
    """One daemon is asked to wait for 4 s; what was on its way to the wire still comes, and then nobody comes."""
    settings = SandboxSettings(api_key="right", fleet_size=1, latency_s=0.01, retry_after_s=4.0)
    async with Sandbox(settings) as sandbox, daemons(tmp_path, sandbox.url, dsn, "20/s") as served:
        await hand_in(served, 200)
        await asyncio.sleep(4.0)
        sandbox.set_faults(next=["429-retry-after"])
        await asyncio.sleep(7.0)
        times = sandbox.arrivals[CREATE]
        gaps = [(later - earlier, earlier) for earlier, later in itertools.pairwise(times)]
        longest_s, since = max(gaps)
        assert longest_s >= 3.5
        assert len([at for at in times if at > since + longest_s]) >= 10
        for daemon in served:
            assert await requests(daemon) > 10
