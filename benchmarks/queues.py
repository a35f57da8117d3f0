"""One task per job on PostgreSQL task queues, as their documentation has it: what `benchmarks.daemons` compares with.

Enqueued in batches by one process, worked off by `WORKERS` others meanwhile; each task posts one job to the sandbox
over a connection that is kept open. A queue remembers that a task was done. It knows nothing of rate limits of an
account, of requests whose outcome is unknown, of keys or of batches: that is what a user would have to add.

    python -m benchmarks.queues work procrastinate DSN URL       for the benchmark's own use
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import orjson

from benchmarks.ingest import light_loop
from benchmarks.server import DAY, ROOT
from dispatcher.sandbox import generated_jobs

WORKERS = 2
CONCURRENCY = 32
"""Tasks at once in a worker: it waits on HTTP."""
ENQUEUED = 500
"""Jobs of one call that enqueues."""
FETCHED = 100
"""Jobs that a pgqueuer worker takes at once."""
NEEDS = {"procrastinate": ("procrastinate", "psycopg"), "pgqueuer": ("pgqueuer", "asyncpg")}

Post = Callable[[dict[str, Any]], Awaitable[None]]


def missing(name: str) -> str:
    """Why a queue cannot be measured here, "" when it can."""
    absent = [module for module in NEEDS[name] if importlib.util.find_spec(module) is None]
    return f"not installed: {', '.join(absent)} (pip install '.[bench,postgres]')" if absent else ""


def _module(name: str) -> Any:
    """A module of an extra. Not typed here, so that type checks do not depend on what is installed."""
    return importlib.import_module(name)


def _batches(count: int, prefix: str) -> Iterator[list[dict[str, Any]]]:
    made = generated_jobs(count, seed=1, day=DAY)
    jobs = [job | {"uidSecondary": f"{prefix}-{place}"} for place, job in enumerate(made)]
    print("ready", flush=True)
    for first in range(0, count, ENQUEUED):
        yield jobs[first : first + ENQUEUED]


@contextlib.asynccontextmanager
async def poster(url: str) -> AsyncIterator[Post]:
    """Posts one job and reads the reply."""
    connector = aiohttp.TCPConnector(limit=2 * CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers={"API-Key": "bench"}) as session:

        async def post(job: dict[str, Any]) -> None:
            body = orjson.dumps({"data": {"jobs": [job]}})
            async with session.post(f"{url}/api/createjobs", data=body) as reply:
                if len(orjson.loads(await reply.read())["jobs"]) != 1:
                    raise RuntimeError("the job was not created")

        yield post


class Procrastinate:
    """One row and one task per job, over psycopg."""

    def __init__(self, dsn: str) -> None:
        module = _module("procrastinate")
        self._app: Any = module.App(connector=module.PsycopgConnector(conninfo=dsn))

    async def prepare(self) -> None:
        async with self._app.open_async():
            await self._app.schema_manager.apply_schema_async()

    async def enqueue(self, count: int, prefix: str) -> None:
        send = self._app.configure_task("send")
        async with self._app.open_async():
            for jobs in _batches(count, prefix):
                await send.batch_defer_async(*({"job": job} for job in jobs))

    async def work(self, post: Post) -> None:
        async def send(job: dict[str, Any]) -> None:
            await post(job)

        self._app.task(name="send")(send)
        async with self._app.open_async():
            print("ready", flush=True)
            await self._app.run_worker_async(concurrency=CONCURRENCY, delete_jobs="never")


class PgQueuer:
    """One row and one task per job, over asyncpg."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def _pool(self) -> Any:
        return await _module("asyncpg").create_pool(self._dsn, min_size=2, max_size=8)

    async def prepare(self) -> None:
        async with await self._pool() as pool:
            await _module("pgqueuer").PgQueuer.from_asyncpg_pool(pool).queries.install()

    async def enqueue(self, count: int, prefix: str) -> None:
        async with await self._pool() as pool:
            queries = _module("pgqueuer").PgQueuer.from_asyncpg_pool(pool).queries
            for jobs in _batches(count, prefix):
                await queries.enqueue(["send"] * len(jobs), [orjson.dumps(job) for job in jobs], [0] * len(jobs))

    async def work(self, post: Post) -> None:
        async with await self._pool() as pool:
            queue = _module("pgqueuer").PgQueuer.from_asyncpg_pool(pool)

            async def send(job: Any) -> None:
                await post(orjson.loads(job.payload))

            queue.entrypoint("send")(send)
            print("ready", flush=True)
            await queue.run(batch_size=FETCHED, max_concurrent_tasks=2 * FETCHED)


QUEUES: dict[str, Callable[[str], Procrastinate | PgQueuer]] = {"procrastinate": Procrastinate, "pgqueuer": PgQueuer}


@contextlib.contextmanager
def workers(name: str, dsn: str, url: str) -> Iterator[list[int]]:
    """Process numbers of the workers, ready."""
    command = [sys.executable, "-m", "benchmarks.queues", "work", name, dsn, url]
    with contextlib.ExitStack() as stack:
        started = []
        for _ in range(WORKERS):
            worker = stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            )
            stack.callback(worker.kill)
            started.append(worker)
        for worker in started:
            assert worker.stdout is not None
            if worker.stdout.readline() != "ready\n":
                raise RuntimeError(f"a worker of {name} did not start")
        yield [worker.pid for worker in started]


@contextlib.contextmanager
def enqueuing(name: str, dsn: str, count: int, *, prefix: str) -> Iterator[float]:
    """A process that enqueues so many jobs; monotonic time at which it began."""
    command = [sys.executable, "-m", "benchmarks.queues", "enqueue", name, dsn, str(count), prefix]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{name}: nothing was enqueued")
        yield time.monotonic()
        if process.wait():
            raise RuntimeError(f"{name}: enqueuing failed")


def prepare(name: str, dsn: str) -> None:
    """Make the queue's tables."""
    asyncio.run(QUEUES[name](dsn).prepare())


async def _work(name: str, dsn: str, url: str) -> None:
    async with poster(url) as post:
        await QUEUES[name](dsn).work(post)


def main() -> None:
    role, name, dsn, *rest = sys.argv[1:]
    with asyncio.Runner(loop_factory=light_loop()) as runner:
        if role == "work":
            runner.run(_work(name, dsn, rest[0]))
        else:
            runner.run(QUEUES[name](dsn).enqueue(int(rest[0]), rest[1]))


if __name__ == "__main__":
    main()
