"""The hostile Hellotracks of a chaos run, in a process of its own so that what it sees is not late.

    python tests/chaos/server.py WISH.json REPORT.json

Prints its address. At SIGTERM it writes what it has seen: see `Seen`. A heartbeat tells how late its own event loop
came round: requests that came in such a moment were seen late, and seem to have come together.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from dispatcher.sandbox import Sandbox, SandboxSettings

BEAT_S = 0.005
LATE_S = 0.03
"""A loop that comes round later than this is told of."""
PRIORITY = -10


class Seen(msgspec.Struct, kw_only=True):
    """What the server saw.

    Attributes:
        stats: see `Sandbox.stats`.
        creates: by key, how often its job was created.
        workers: by key, the member that the job has, "" for none.
        days: by key, the job's day.
        arrivals: monotonic times at which requests of any kind came, in order.
        late: (monotonic time, seconds) of each moment at which the loop came round late.
    """

    stats: dict[str, Any]
    creates: dict[str, int]
    workers: dict[str, str]
    days: dict[str, int]
    arrivals: list[float]
    late: list[tuple[float, float]]


async def heartbeat(late: list[tuple[float, float]]) -> None:
    """Note when the loop comes round late."""
    before = time.monotonic()
    while True:
        await asyncio.sleep(BEAT_S)
        now = time.monotonic()
        if now - before - BEAT_S > LATE_S:
            late.append((now, now - before - BEAT_S))
        before = now


async def serve(settings: SandboxSettings) -> Seen:
    """Until SIGTERM."""
    enough = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, enough.set)
    late: list[tuple[float, float]] = []
    async with Sandbox(settings) as sandbox:
        beating = asyncio.create_task(heartbeat(late))
        print(f"ready at {sandbox.url}", flush=True)  # noqa: T201 - this is how its address is told
        await enough.wait()
        beating.cancel()
        keys = list(sandbox.store.known_keys())
        jobs = {key: sandbox.jobs[key] for key in keys if key in sandbox.jobs}
        return Seen(
            stats=sandbox.stats(),
            creates={key: sandbox.created(key) for key in keys},
            workers={key: str(job.get("worker") or "") for key, job in jobs.items()},
            days={key: int(job.get("day") or 0) for key, job in jobs.items()},
            arrivals=sorted(time for times in sandbox.arrivals.values() for time in times),
            late=late,
        )


def main() -> None:
    _, wish, report = sys.argv
    with suppress(PermissionError):  # it helps, and is not needed
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    settings = SandboxSettings(**msgspec.json.decode(Path(wish).read_bytes()))
    Path(report).write_bytes(msgspec.json.encode(asyncio.run(serve(settings))))


if __name__ == "__main__":
    main()
