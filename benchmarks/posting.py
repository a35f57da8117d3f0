"""Clients that hand jobs in as fast as they are answered, in a process of their own: `python -m benchmarks.posting`.

Prints when the first request went out, and at the end how long the answers took.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from itertools import cycle, islice
from typing import cast
from urllib.parse import urlsplit

import orjson

from benchmarks.ingest import light_loop
from benchmarks.server import DAY
from dispatcher.sandbox import generated_jobs

CONNECTIONS = 16
BODIES = 8
"""Different requests; they take turns, each time with keys of their own."""
KEY = b"#KEY#"


def bodies(jobs: int) -> list[bytes]:
    """Requests of so many jobs each, with `KEY` in the place of what makes their keys unique."""
    found = []
    for seed in range(BODIES):
        made = islice(generated_jobs(jobs, seed=seed, day=DAY), jobs)
        named = [job | {"uidSecondary": f"{KEY.decode()}-{place}"} for place, job in enumerate(made)]
        found.append(orjson.dumps({"data": {"jobs": named}}))
    return found


class Load:
    """What is still to be posted, and how long the answers took.

    Args:
        name: in front of every key.
        requests: how many.
        jobs: of each.
    """

    def __init__(self, name: str, *, requests: int, jobs: int) -> None:
        self._name = name
        self._left = iter(range(requests))
        self._bodies = cycle(bodies(jobs))
        self.latencies_s: list[float] = []
        self.failed = 0

    def next(self) -> bytes | None:
        """The next request's body; None: that was all."""
        number = next(self._left, None)
        return None if number is None else next(self._bodies).replace(KEY, f"{self._name}-{number}".encode())


class Client(asyncio.Protocol):
    """One connection: a request, its reply, the next request, while there are any."""

    def __init__(self, load: Load, host: str) -> None:
        self._load = load
        self._head = (
            f"POST /api/createjobs HTTP/1.1\r\nHost: {host}\r\nAPI-Key: bench\r\nPrefer: respond-async\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        ).encode()
        self._began = 0.0
        self._read = b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._ask()

    def data_received(self, data: bytes) -> None:
        data = self._read + data
        end = data.find(b"\r\n\r\n")
        length_at = data.find(b"Content-Length: ", 0, end) + 16
        if end < 0 or len(data) < end + 4 + int(data[length_at : data.find(b"\r", length_at)]):
            self._read = data
            return
        self._read = b""
        self._load.latencies_s.append(time.perf_counter() - self._began)
        self._load.failed += not data.startswith(b"HTTP/1.1 202")
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.over.done():
            self.over.set_result(None)

    def _ask(self) -> None:
        body = self._load.next()
        if body is None:
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(self._head % len(body) + body)


async def post(urls: list[str], load: Load) -> None:
    """Post everything, the connections spread over the daemons."""
    loop = asyncio.get_running_loop()
    clients = []
    for url in islice(cycle(urls), CONNECTIONS):
        address = urlsplit(url)
        _, client = await loop.create_connection(
            lambda host=address.netloc: Client(load, host),  # type: ignore[misc]
            address.hostname or "",
            address.port or 0,
        )
        clients.append(client.over)
    await asyncio.gather(*clients)


def main() -> None:
    parser = argparse.ArgumentParser(description="Post jobs to daemons.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("urls", nargs="+")
    options = parser.parse_args()
    load = Load(options.name, requests=options.requests, jobs=options.jobs)
    print(orjson.dumps({"began": time.time()}).decode(), flush=True)
    with asyncio.Runner(loop_factory=light_loop()) as runner:
        runner.run(post(options.urls, load))
    ended, found = time.time(), sorted(load.latencies_s)
    spent = resource.getrusage(resource.RUSAGE_SELF)
    document = {
        "ended": ended,
        "p50_ms": 1e3 * found[len(found) // 2],
        "p99_ms": 1e3 * found[len(found) * 99 // 100],
        "failed": load.failed,
        "cpu_s": spent.ru_utime + spent.ru_stime,
    }
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
