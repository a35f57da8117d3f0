"""How fast a sandbox in its own process creates jobs.

`python -m tests.unit.sandbox.throughput [JOBS] [BATCH]` prints JSON. The figure that counts is the server's own CPU
time per job, because the client that drives it needs a core for itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import sys
import time
from itertools import islice
from multiprocessing.queues import Queue
from typing import Any

import aiohttp
import orjson
import psutil

from dispatcher.sandbox import SandboxSettings, generated_fleet, generated_jobs, run_sandbox

CONNECTIONS = 4
FLEET = 500


def main(jobs: int = 200_000, batch: int = 200) -> dict[str, Any]:
    """One run: `jobs_per_core_s` is what one core of the server manages, `rss_per_job` the bytes a job adds to it."""
    context = multiprocessing.get_context("spawn")
    ready: Queue[str] = context.Queue()
    server = context.Process(target=_serve, args=(ready,))
    server.start()
    try:
        url = ready.get(timeout=60)
        process = psutil.Process(server.pid)
        before, rss = _cpu_s(process), process.memory_info().rss
        wall_s, replied = asyncio.run(_drive(url, _bodies(jobs, batch)))
        cpu_s, grown = _cpu_s(process) - before, process.memory_info().rss - rss
    finally:
        server.terminate()
        server.join()
    return {
        "jobs": jobs,
        "batch": batch,
        "jobs_per_core_s": round(jobs / cpu_s),
        "wall_jobs_per_s": round(jobs / wall_s),
        "reply_bytes_per_job": round(replied / jobs),
        "rss_per_job": round(grown / jobs),
    }


def _serve(ready: Queue[str]) -> None:
    run_sandbox(SandboxSettings(fleet_size=FLEET), on_ready=ready.put)


def _bodies(jobs: int, batch: int) -> list[bytes]:
    """Request bodies; nine of ten jobs name their worker, as they do after a local decision."""
    accounts, _ = generated_fleet(FLEET, seed=0, now=time.time())
    rng = random.Random(1)
    source = generated_jobs(jobs, seed=1, day=20261130)
    bodies = []
    while some := list(islice(source, batch)):
        for job in some:
            if rng.random() < 0.9:
                job["worker"] = rng.choice(accounts)["username"]
        bodies.append(orjson.dumps({"data": {"jobs": some}}))
    return bodies


async def _drive(url: str, bodies: list[bytes]) -> tuple[float, int]:
    replied = 0
    left = iter(bodies)

    async def send(session: aiohttp.ClientSession) -> None:
        nonlocal replied
        for body in left:
            async with session.post(f"{url}/api/createjobs", data=body) as response:
                response.raise_for_status()
                replied += len(await response.read())

    async with aiohttp.ClientSession(headers={"API-Key": "k"}) as session:
        start = time.perf_counter()
        await asyncio.gather(*[send(session) for _ in range(CONNECTIONS)])
        return time.perf_counter() - start, replied


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(main(*map(int, sys.argv[1:])), option=orjson.OPT_INDENT_2) + b"\n")
