"""Three daemons with an engine on one database: the leader is killed or paused, and nobody is booked twice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.spool.postgres.link import LEASE_S
from tests import postgres
from tests.acceptance.command import COMMAND, environment
from tests.acceptance.serving import DAY
from tests.unit.pipeline.living import member

NAMES = ("north", "east", "south")
MEMBERS = 24
CAP = 5
LEADER = """SELECT n.name FROM dispatcher.leaders AS l JOIN dispatcher.nodes AS n ON n.id = l.node
WHERE l.account = 'default' AND n.ended_at IS NULL"""
DECIDED = """SELECT count(*) FROM dispatcher.jobs AS j JOIN dispatcher.contents AS c ON c.seq = j.seq
WHERE c.accepted_at > $1 AND j.state <> 0"""
OPEN = "SELECT count(*) FROM dispatcher.jobs WHERE state <= 4"
SETTINGS = (
    *("--policy", "nearest", "--fallback", "unassigned", "--max-batch-jobs", "10", "--max-concurrency", "3"),
    *("--set", f"max_jobs_per_day={CAP}", "--set", "request_timeout_s=2", "--set", "unknown_grace_s=0.5"),
    *("--set", "shutdown_grace_s=3", "--set", "fleet_sync_s=5", "--set", "routes_sync_s=5"),
)


class Node:
    """A daemon's process."""

    def __init__(self, name: str, folder: Path, url: str, dsn: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._flags = (*SETTINGS, "--base-url", url, "--spool", dsn, "--node", name)
        self.url = ""

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*COMMAND, "run", "--listen", "127.0.0.1:0", "--log-format", "json", *self._flags),
                cwd=self.log.parent,
                env=environment(DISPATCHER_API_KEY="right"),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        assert "ready at " in line, (line, self.log.read_text()[-2000:])
        self.url = line.partition("ready at ")[2].partition(",")[0]

    def send(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)

    async def stop(self) -> int:
        self.send(signal.SIGTERM)
        return await self.process.wait()


class World:
    """A sandbox with a small fleet, three daemons, and a client."""

    def __init__(self, sandbox: Sandbox, nodes: list[Node], dsn: str, client: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.nodes = nodes
        self.client = client
        self._dsn = dsn

    async def ask(self, sql: str, *values: object) -> Any:
        rows = await postgres.fetch(self._dsn, sql, *values)
        return rows[0][0] if rows else None

    async def leader(self) -> Node:
        async with asyncio.timeout(20):
            while (name := await self.ask(LEADER)) is None:  # noqa: ASYNC110 - it is looked at from outside
                await asyncio.sleep(0.02)
        return next(node for node in self.nodes if node.name == name)

    async def others(self) -> list[Node]:
        leader = await self.leader()
        return [node for node in self.nodes if node is not leader]

    async def hand_in(self, node: Node, *keys: str, wait: bool = False) -> Any:
        """Status and document of a createjobs request."""
        body = {"data": {"jobs": [job(key) for key in keys]}}
        headers = {"API-Key": "any"} | ({} if wait else {"Prefer": "respond-async"})
        async with self.client.post(f"{node.url}/api/createjobs", json=body, headers=headers) as reply:
            return reply.status, await reply.json()

    async def warm(self) -> None:
        """Wait until every daemon has loaded its engine, as it has once it has run for a while."""
        for node in self.nodes:
            body = {"data": {"jobs": [job("planned")]}}
            async with self.client.post(f"{node.url}/plan", json=body, headers={"API-Key": "any"}) as reply:
                assert reply.status == 200, await reply.text()

    async def trickle(self, prefix: str, stop: asyncio.Event, *, every_s: float = 0.1) -> set[str]:
        """Hand in two jobs at a time, to one daemon after the other; the keys that were acknowledged."""
        keys: set[str] = set()
        number = 0
        while not stop.is_set():
            node = self.nodes[number % len(self.nodes)]
            pair = (f"{prefix}{number}a", f"{prefix}{number}b")
            number += 1
            with suppress(aiohttp.ClientError, TimeoutError):
                status, _ = await self.hand_in(node, *pair)
                if status == 202:
                    keys.update(pair)
            await asyncio.sleep(every_s)
        return keys

    async def more(self, node: Node) -> set[str]:
        """Hand in as many jobs as all members together can take: then every place is taken."""
        keys = {f"more{number}" for number in range(MEMBERS * CAP)}
        assert (await self.hand_in(node, *keys))[0] == 202
        return keys

    async def through(self, keys: set[str]) -> None:
        """Wait until all of them are at Hellotracks, and nothing is on its way."""
        async with asyncio.timeout(60):
            while await self.ask(OPEN) or not all(map(self.sandbox.created, keys)):  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.1)

    def taken(self) -> Counter[str]:
        """Jobs by member, as Hellotracks has them."""
        return Counter(
            str(one["worker"]) for one in map(self.sandbox.jobs.__getitem__, self.sandbox.jobs) if one["worker"]
        )


def job(key: str) -> dict[str, Any]:
    """Every job is nearest to the same few members, so that two who decide at once pick the same ones."""
    return {"uidSecondary": key, "destinationLat": 45.07, "destinationLng": 7.68, "day": DAY, "onSiteSeconds": 60}


@asynccontextmanager
async def running(folder: Path, dsn: str, *, lease_s: float = LEASE_S) -> AsyncIterator[World]:
    members = [member(f"m{number:02}", 45.07 + number / 200) for number in range(MEMBERS)]
    settings = SandboxSettings(api_key="right", members=members, latency_s=0.05, latency_jitter_s=0.05)
    async with Sandbox(settings) as sandbox, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as client:
        spool = f"{dsn}{'&' if '?' in dsn else '?'}lease_s={lease_s}"
        nodes = [Node(name, folder, sandbox.url, spool) for name in NAMES]
        try:
            for node in nodes:
                await node.start()
            world = World(sandbox, nodes, dsn, client)
            await world.warm()
            yield world
        finally:
            for node in nodes:
                if hasattr(node, "process"):
                    node.send(signal.SIGCONT)
                    node.send(signal.SIGKILL)
                    await node.process.wait()


@pytest.mark.slow
async def test_another_daemon_decides_within_ten_seconds_of_the_leaders_death_and_nobody_is_booked_twice(
    tmp_path: Path, dsn: str
) -> None:
    """Jobs come in all the time; the leader is killed in the middle, and does not come back."""
    async with running(tmp_path, dsn) as world:
        leader = await world.leader()
        assert (await world.hand_in(leader, "first", wait=True))[0] == 200
        stop = asyncio.Event()
        client = asyncio.create_task(world.trickle("k", stop))
        await asyncio.sleep(2)
        leader.send(signal.SIGKILL)
        killed, wall = time.monotonic(), time.time()
        async with asyncio.timeout(20):
            while not await world.ask(DECIDED, wall):  # noqa: ASYNC110 - it is looked at from outside
                await asyncio.sleep(0.02)
        took_s = time.monotonic() - killed
        next_one = await world.leader()
        assert next_one is not leader
        await asyncio.sleep(1)
        stop.set()
        keys = await client | await world.more(next_one)
        await world.through(keys)
        assert took_s < 10
        assert world.taken() == dict.fromkeys(world.taken(), CAP)
        assert len(world.taken()) == MEMBERS
        assert [key for key in keys if world.sandbox.created(key) > 1] == []
        assert world.sandbox.stats()["overlaps"] == 0
        assert [await node.stop() for node in world.nodes if node is not leader] == [0, 0]


@pytest.mark.slow
async def test_a_leader_that_was_paused_for_longer_than_its_lease_writes_nothing_and_books_nobody_twice(
    tmp_path: Path, dsn: str
) -> None:
    """It is stopped three times in the middle of its work, and goes on when another has taken over."""
    async with running(tmp_path, dsn, lease_s=2.0) as world:
        first = await world.leader()
        assert (await world.hand_in(first, "first", wait=True))[0] == 200
        stop = asyncio.Event()
        client = asyncio.create_task(world.trickle("k", stop, every_s=0.2))
        terms = []
        for _ in range(3):
            paused = await world.leader()
            await asyncio.sleep(0.5)
            paused.send(signal.SIGSTOP)
            async with asyncio.timeout(10):
                while await world.leader() is paused:  # noqa: ASYNC110 - it is looked at from outside
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)
            paused.send(signal.SIGCONT)
            terms.append(await world.ask("SELECT term FROM dispatcher.leaders"))
            await asyncio.sleep(1)
        stop.set()
        keys = await client | await world.more(world.nodes[0])
        await world.through(keys)
        assert terms == [2, 3, 4]
        assert world.taken() == dict.fromkeys(world.taken(), CAP)
        assert len(world.taken()) == MEMBERS
        assert [key for key in keys if world.sandbox.created(key) > 1] == []
        assert world.sandbox.stats()["overlaps"] == 0
        ends = [await node.stop() for node in world.nodes]
        assert ends == [0, 0, 0]


@pytest.mark.slow
async def test_jobs_handed_to_a_daemon_that_does_not_lead_are_decided_and_answered_at_once(
    tmp_path: Path, dsn: str
) -> None:
    """Its client waits for the outcome, which another daemon may have brought about."""
    async with running(tmp_path, dsn) as world:
        leader, others = await world.leader(), await world.others()
        for node in world.nodes:
            assert (await world.hand_in(node, f"first-{node.name}", wait=True))[0] == 200
        times = []
        for number in range(12):
            began = time.monotonic()
            status, document = await world.hand_in(others[number % 2], f"k{number}", wait=True)
            times.append(time.monotonic() - began)
            assert (status, document["status"], len(document["jobs"])) == (200, 0, 1)
            assert document["jobs"][0]["worker"]
        assert sorted(times)[6] < 0.8, times
        assert max(times) < 3, times
        ready = [(await get(world, node, "/readyz"))["accounts"]["default"] for node in world.nodes]
        assert {one["leader"] for one in ready} == {leader.name}
        assert sorted(one["leads"] for one in ready) == [False, False, True]
        metrics = [await text(world, node, "/metrics") for node in world.nodes]
        assert sorted('dispatcher_leads{account="default"} 1.0' in one for one in metrics) == [False, False, True]


async def get(world: World, node: Node, path: str) -> Any:
    async with world.client.get(node.url + path) as reply:
        return await reply.json()


async def text(world: World, node: Node, path: str) -> str:
    async with world.client.get(node.url + path) as reply:
        return await reply.text()
