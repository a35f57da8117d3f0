"""Daemons on one database are upgraded one after the other while clients go on."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.spool.postgres import PostgresView
from tests.acceptance import next_version
from tests.acceptance.command import COMMAND, environment, run
from tests.acceptance.serving import DAY, job

ROOT = Path(__file__).parents[2]
NEXT = (sys.executable, "-m", "tests.acceptance.next_version")
NAMES = ("north", "east", "south")
REFUSED = "refused"
"""What a client gets from an address where nobody listens."""


class Daemon:
    """A daemon at an address of its own, which it keeps over its lives.

    Attributes:
        restarting: it is being stopped and started.
    """

    def __init__(self, name: str, folder: Path, *flags: str) -> None:
        self.name = name
        self.restarting = False
        self.url = ""
        self._folder = folder
        self._flags = (*flags, "--node", name)
        self._listen = "127.0.0.1:0"

    async def start(self, command: tuple[str, ...]) -> None:
        """Start that program, until it is ready."""
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*command, "run", "--listen", self._listen, *self._flags),
                cwd=self._folder,
                env=environment(DISPATCHER_API_KEY="right", PYTHONPATH=str(ROOT)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        assert "ready at " in line, (line, (self._folder / f"{self.name}.log").read_text()[-2000:])
        self.url = line.partition("ready at ")[2].partition(",")[0]
        self._listen = self.url.removeprefix("http://")

    async def restart(self, command: tuple[str, ...]) -> None:
        """As a service manager does."""
        self.restarting = True
        self.process.send_signal(signal.SIGTERM)
        assert await self.process.wait() == 0
        await self.start(command)
        self.restarting = False


class Clients:
    """They hand in three jobs at a time, and go to the next daemon when one does not take them.

    Attributes:
        acknowledged: keys.
        seen: what went wrong, with the name of the daemon; only at one that was being restarted when it is `expected`.
    """

    def __init__(self, daemons: list[Daemon]) -> None:
        self.acknowledged: set[str] = set()
        self.seen: list[tuple[str, str, bool]] = []
        self._daemons = daemons
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(3)]

    async def end(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _run(self, client: int) -> None:
        dice = random.Random(client)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session:
            for number in itertools.count():
                if self._stop.is_set():
                    return
                keys = [f"{client}-{number}-{part}" for part in range(3)]
                body = {"data": {"jobs": [job(key, day=DAY) for key in keys]}}
                for daemon in itertools.cycle(dice.sample(self._daemons, len(self._daemons))):
                    restarting = daemon.restarting
                    said = await _ask(session, daemon.url, body)
                    if said == "202":
                        break
                    self.seen.append((daemon.name, said, restarting or daemon.restarting))
                    await asyncio.sleep(0.05)
                self.acknowledged.update(keys)
                await asyncio.sleep(dice.uniform(0.0, 0.05))


async def _ask(session: aiohttp.ClientSession, url: str, body: Any) -> str:
    """The status, or what happened instead."""
    headers = {"API-Key": "any", "Prefer": "respond-async"}
    try:
        async with session.post(f"{url}/api/createjobs", json=body, headers=headers) as reply:
            await reply.read()
            return str(reply.status)
    except aiohttp.ClientConnectorError as error:
        return REFUSED if isinstance(error.os_error, ConnectionRefusedError) else repr(error)
    except (aiohttp.ClientError, TimeoutError) as error:
        return repr(error)


@pytest.fixture
def dsn(dsn: str) -> str:
    return f"{dsn}{'&' if '?' in dsn else '?'}lease_s=3"


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_three_daemons_under_load_are_upgraded_one_after_the_other(tmp_path: Path, dsn: str) -> None:
    """The first new one migrates; old ones go on, and one of them restarts, on the newer tables.

    Whoever is being restarted refuses; nobody sees anything else, and every acknowledged job is created once.
    """
    async with Sandbox(SandboxSettings(api_key="right", fleet_size=20, latency_s=0.01)) as sandbox:
        flags = ("--base-url", sandbox.url, "--spool", dsn, "--policy", "nearest", "--fallback", "unassigned")
        daemons = [Daemon(name, tmp_path, *flags, "--set", "shutdown_grace_s=3") for name in NAMES]
        north, east, south = daemons
        try:
            for daemon in daemons:
                await daemon.start(COMMAND)
            clients = Clients(daemons)
            await asyncio.sleep(2)
            for daemon, command in ((north, NEXT), (south, COMMAND), (east, NEXT), (south, NEXT)):
                before = len(clients.acknowledged)
                await daemon.restart(command)
                await asyncio.sleep(2)
                assert len(clients.acknowledged) > before
            await clients.end()
            async with asyncio.timeout(60):
                while not all(sandbox.created(key) for key in clients.acknowledged):  # noqa: ASYNC110 - from outside
                    await asyncio.sleep(0.2)
            shown = await asyncio.to_thread(run, "nodes", "--json", "--spool", dsn, cwd=tmp_path)
            ends = []
            for daemon in daemons:
                daemon.process.terminate()
                ends.append(await daemon.process.wait())
        finally:
            for daemon in daemons:
                if daemon.process.returncode is None:
                    daemon.process.kill()
        twice = [key for key in clients.acknowledged if sandbox.created(key) > 1]
        stats = sandbox.stats()
    assert {said for _, said, _ in clients.seen} <= {REFUSED, "503"}, clients.seen
    assert clients.seen
    assert [one for one in clients.seen if not one[2]] == []
    assert len(clients.acknowledged) > 100
    assert (twice, stats["repeats"], stats["overlaps"]) == ([], 0, 0)
    assert {node["name"]: node["program"] for node in shown.document["nodes"]} == dict.fromkeys(
        NAMES, f"hellotracks-dispatcher {next_version.VERSION}"
    )
    assert shown.status == 0, shown.err
    assert ends == [0, 0, 0]
    assert await asyncio.to_thread(sound, dsn) == []


def sound(dsn: str) -> list[str]:
    """What `spool check` of the newest version finds."""
    with PostgresView(dsn) as view:
        return view.problems()
