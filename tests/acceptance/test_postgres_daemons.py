"""Several daemons on one database, killed, paused and cut off from it while clients hand in jobs."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.spool.postgres import PostgresView
from tests import postgres
from tests.acceptance.command import COMMAND, environment
from tests.acceptance.serving import job
from tests.crash.campaign import FAULTS, SLOW_S

NAMES = ("north", "east", "south")
LEASE_S = 2.0
CHAOS_S = 25.0
DAY = 20310106
SETTINGS = (
    *("--policy", "none", "--max-batch-jobs", "10", "--max-concurrency", "3", "--set", "max_attempts=1000"),
    *("--set", "request_timeout_s=1", "--set", "unknown_grace_s=0.5", "--set", "shutdown_grace_s=2"),
)


class Daemon:
    """A daemon under one name, started again whenever it was killed."""

    def __init__(self, name: str, folder: Path, url: str, dsn: str) -> None:
        self.name = name
        self._folder = folder
        self._flags = (*SETTINGS, "--base-url", url, "--spool", dsn, "--node", name)
        self.url = ""

    async def start(self) -> None:
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*COMMAND, "run", "--listen", "127.0.0.1:0", *self._flags),
                cwd=self._folder,
                env=environment(DISPATCHER_API_KEY="right"),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        assert "ready at " in line, (line, (self._folder / f"{self.name}.log").read_text()[-2000:])
        self.url = line.partition("ready at ")[2].partition(",")[0]

    def send(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)

    async def kill(self) -> None:
        self.url = ""
        self.send(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        self.send(signal.SIGTERM)
        return await self.process.wait()


@pytest.fixture
def dsn() -> Iterator[str]:
    if postgres.MISSING:
        pytest.skip(postgres.MISSING)
    dsn = postgres.borrow()
    yield f"{dsn}{'&' if '?' in dsn else '?'}lease_s={LEASE_S}"
    postgres.give_back()


async def hand_in(daemons: list[Daemon], client: int, acknowledged: set[str], stop: asyncio.Event) -> None:
    """Three jobs at a time, to one daemon after the other until one has acknowledged them."""
    dice = random.Random(client)
    number = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
        while not stop.is_set():
            keys = [f"{client}-{number}-{part}" for part in range(3)]
            number += 1
            body = {"data": {"jobs": [job(key, day=DAY) for key in keys]}}
            while not await _acknowledged(session, dice.choice(daemons).url, body):  # noqa: ASYNC110 - tries again
                await asyncio.sleep(0.05)
            acknowledged.update(keys)
            await asyncio.sleep(dice.uniform(0.0, 0.05))


async def _acknowledged(session: aiohttp.ClientSession, url: str, body: object) -> bool:
    if not url:
        return False
    try:
        headers = {"API-Key": "any", "Prefer": "respond-async"}
        async with session.post(f"{url}/api/createjobs", json=body, headers=headers) as reply:
            await reply.read()
            return reply.status == 202
    except (aiohttp.ClientError, TimeoutError):
        return False


async def chaos(daemons: list[Daemon], done: dict[str, int]) -> None:
    """Kill, pause for longer than a lease, and once take the database away."""
    dice = random.Random(3)
    async with asyncio.timeout(CHAOS_S + 60):
        end = asyncio.get_running_loop().time() + CHAOS_S
        if not os.environ.get(postgres.VARIABLE):
            await asyncio.sleep(2)
            await asyncio.to_thread(postgres.restart, away_s=3.0)
            done["restarts"] += 1
        while asyncio.get_running_loop().time() < end or not (done["kills"] and done["pauses"]):
            daemon = dice.choice(daemons)
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            if done["pauses"] > done["kills"] // 2:
                await daemon.kill()
                await daemon.start()
                done["kills"] += 1
            else:
                daemon.send(signal.SIGSTOP)
                await asyncio.sleep(LEASE_S * dice.uniform(1.5, 2.5))
                daemon.send(signal.SIGCONT)
                done["pauses"] += 1


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_acknowledged_job_is_created_once_whatever_happens_to_the_daemons(tmp_path: Path, dsn: str) -> None:
    """Three daemons, three clients, a hostile server; kills, pauses, and the database away for some seconds."""
    settings = SandboxSettings(
        api_key="right",
        fleet_size=5,
        latency_s=0.005,
        latency_jitter_s=0.03,
        faults=FAULTS,
        faults_on=("/api/createjobs", "/api/getjobs", "/v1/jobs"),
        slow_s=SLOW_S,
        seed=9,
    )
    acknowledged: set[str] = set()
    done = {"kills": 0, "pauses": 0, "restarts": 0}
    async with Sandbox(settings) as sandbox:
        daemons = [Daemon(name, tmp_path, sandbox.url, dsn) for name in NAMES]
        try:
            for daemon in daemons:
                await daemon.start()
            stop = asyncio.Event()
            clients = [asyncio.create_task(hand_in(daemons, number, acknowledged, stop)) for number in range(3)]
            await chaos(daemons, done)
            stop.set()
            await asyncio.gather(*clients)
            async with asyncio.timeout(90):
                while not all(sandbox.created(key) for key in acknowledged):  # noqa: ASYNC110 - looks from outside
                    await asyncio.sleep(0.2)
            await asyncio.sleep(SLOW_S)
            ends = [await daemon.stop() for daemon in daemons]
        finally:
            for daemon in daemons:
                daemon.send(signal.SIGCONT)
                daemon.send(signal.SIGKILL)
        stats = sandbox.stats()
        twice = [key for key in acknowledged if sandbox.created(key) > 1]
    assert ends == [0, 0, 0]
    assert len(acknowledged) > 300
    assert twice == []
    assert (stats["overlaps"], stats["late_overlaps"], stats["repeats"]) == (0, 0, 0)
    assert done["kills"] >= 1
    assert done["pauses"] >= 1
    assert await asyncio.to_thread(problems, dsn) == []


def problems(dsn: str) -> list[str]:
    """What `spool check` finds."""
    with PostgresView(dsn) as view:
        return view.problems()
