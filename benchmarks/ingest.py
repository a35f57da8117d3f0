"""Taking jobs in over HTTP: durable acceptances a second and their latency, beside a handler that stores nothing.

    python -m benchmarks.ingest --json

The daemon, the handler, the load and the sandbox are processes of their own. Each request says `Prefer: respond-async`,
so it is answered after the durable commit. "away": Hellotracks cannot be reached, so nothing but taking in is
measured; "delivering": what is taken in is sent on to a sandbox in the same seconds, on the same cores; "10 000
members": that with the engine and a fleet of that size, without and with a page open. What an open page does (it
follows the stream of events and fetches the map when a new one is told) is done by a process of its own; a browser's
drawing is not measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from signal import SIGKILL
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp import web

from benchmarks.rows import arguments, median, report
from benchmarks.server import DAY, ROOT, running, sandbox

CONNECTIONS = 64
SECONDS = 8.0
QUICK_SECONDS = 1.0
WARM_UP_S = 1.0
AWAY = "http://127.0.0.1:9"
MEMBERS = 10_000
PAGE_TURNS = "01101001"
"""Stretches of load without (0) and with (1) the page, in an order that is fair to both where something grows."""
MAP_S = 3.0
"""A page does not ask for a map more often."""


class Client(asyncio.Protocol):
    """One connection: a request, its reply, the next request, until the time is over."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._name = f"{os.getpid()}-{number}"
        self._sent = 0
        self._began = 0.0
        self._read = b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._read:
            data = self._read + data
        end = data.find(b"\r\n\r\n")
        length_at = data.find(b"Content-Length: ", 0, end) + 16
        if end < 0 or len(data) < end + 4 + int(data[length_at : data.find(b"\r", length_at)]):
            self._read = data
            return
        self._read = b""
        now = time.perf_counter()
        if not data.startswith(b"HTTP/1.1 2"):
            self._load.failed += 1
        elif now > self._load.counted_from:
            self._load.latencies_s.append(now - self._began)
        if now < self._load.until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.over.done():
            self.over.set_result(None)

    def _ask(self) -> None:
        self._sent += 1
        content = self._load.body.replace(b"#KEY#", f"{self._name}-{self._sent}".encode())
        self._began = time.perf_counter()
        self._transport.write(self._load.head % len(content) + content)


class Load:
    """Many connections that ask as fast as they are answered."""

    def __init__(self, url: str, *, jobs: int, seconds: float) -> None:
        self._address = urlsplit(url)
        self.head = (
            b"POST /api/createjobs HTTP/1.1\r\nHost: %b\r\nAPI-Key: bench\r\nPrefer: respond-async\r\n"
            b"Content-Type: application/json\r\nContent-Length: %%d\r\n\r\n" % self._address.netloc.encode()
        )
        self.body = orjson.dumps({"data": {"jobs": [job(number) for number in range(jobs)]}})
        self.latencies_s: list[float] = []
        self.failed = 0
        self._jobs = jobs
        self._seconds = seconds
        self.counted_from = self.until = 0.0

    async def run(self) -> dict[str, Any]:
        """Ask for some seconds; the first one is not counted."""
        self.counted_from = time.perf_counter() + WARM_UP_S
        self.until = self.counted_from + self._seconds
        loop = asyncio.get_running_loop()
        clients = []
        for number in range(CONNECTIONS):
            _, client = await loop.create_connection(
                lambda number=number: Client(self, number),  # type: ignore[misc]
                self._address.hostname or "",
                self._address.port or 0,
            )
            clients.append(client.over)
        await asyncio.gather(*clients)
        found = sorted(self.latencies_s)
        return {
            "requests_per_s": len(found) / self._seconds,
            "jobs_per_s": len(found) * self._jobs / self._seconds,
            "p50_ms": 1e3 * found[len(found) // 2],
            "p99_ms": 1e3 * found[len(found) * 99 // 100],
            "failed": self.failed,
        }


def light_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop uvloop where it is installed: what the load itself costs is taken from the server's two cores."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def job(number: int) -> dict[str, Any]:
    """A job of the usual size, about 350 bytes."""
    return {
        "uidSecondary": f"#KEY#-{number}",
        "destinationName": f"Visit {number}",
        "destinationText": "Via Roma 12, 33100 Udine",
        "destinationLat": 46.06 + number / 9973,
        "destinationLng": 13.23,
        "day": DAY,
        "windowStart": 900,
        "windowEnd": 1100,
        "onSiteSeconds": 1800,
        "priority": 5,
        "contactName": "Anna Rossi",
        "contactPhone": "+39 0432 123456",
        "textDispatcher": "ring twice",
    }


async def serve_nothing() -> None:
    """The reference: aiohttp reads the request, decodes it, answers as many receipts, and stores nothing."""

    async def create(request: web.Request) -> web.Response:
        content = orjson.loads(await request.read())
        receipts = [{"uidSecondary": one["uidSecondary"], "state": "accepted"} for one in content["data"]["jobs"]]
        body = orjson.dumps({"status": 0, "jobs": receipts})
        return web.Response(body=body, status=202, content_type="application/json")

    application = web.Application(client_max_size=2**30)
    application.add_routes([web.post("/api/createjobs", create)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"ready at http://127.0.0.1:{site.port}", flush=True)
    await asyncio.Event().wait()


@contextlib.contextmanager
def daemon(base_url: str, policy: str = "none") -> Iterator[str]:
    """A daemon with a fresh spool; by default without the engine, which decides only after the acknowledgement."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--listen", "127.0.0.1:0", "--base-url", base_url, "--spool", f"{folder}/spool.db", "--policy", policy]
        with running("dispatcher", "run", *flags, end=SIGKILL, DISPATCHER_API_KEY="bench") as (url, _):
            yield url


def measure(url: str, jobs: int, seconds: float) -> dict[str, Any]:
    """The load, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.ingest", "--load", url, str(jobs), str(seconds)]
    row: dict[str, Any] = orjson.loads(subprocess.check_output(command, cwd=ROOT))
    return row


async def watch_page(url: str) -> None:
    """What a page with the map in view asks for, until the process is ended; prints a line for each map."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(f"{url}/page/events") as events,
    ):
        asked, version = 0.0, None
        async for line in events.content:
            if not line.startswith(b"data: "):
                continue
            told = orjson.loads(line[6:])["fleet"]["map"]
            now = time.monotonic()
            if told == version or now - asked < MAP_S:
                continue
            asked, version = now, told
            async with session.get(f"{url}/page/map") as reply:
                members = len(orjson.loads(await reply.read())["member_states"])
            print(f"page ready at {members} members", flush=True)


def with_a_page(seconds: float) -> dict[str, float]:
    """Requests a second without and with the page open, medians of the stretches; one daemon, one fleet."""
    rates: dict[str, list[float]] = {"0": [], "1": []}
    with sandbox("--fleet-size", str(MEMBERS)) as behind, daemon(behind, "nearest") as url:
        measure(url, 1, seconds)  # reads the fleet and builds the engine
        for turn in PAGE_TURNS:
            with contextlib.ExitStack() as page:
                if turn == "1":
                    seen, _ = page.enter_context(running("benchmarks.ingest", "--watch-page", url, end=SIGKILL))
                    if seen != f"{MEMBERS} members":
                        raise RuntimeError(f"the map shows {seen}")
                rates[turn].append(measure(url, 1, seconds)["requests_per_s"])
    return {turn: median(found) for turn, found in rates.items()}


def one_run(seconds: float) -> dict[str, dict[str, Any]]:
    """Every row once; references and daemon take turns, so that a busy machine is busy for all."""
    rows = {}
    for jobs in (1, 100):
        with running("benchmarks.ingest", "--serve-nothing", end=SIGKILL) as (url, _):
            rows[f"handler that stores nothing, {jobs} a request"] = measure(url, jobs, seconds)
        with daemon(AWAY) as url:
            rows[f"daemon, {jobs} a request, away"] = measure(url, jobs, seconds)
        with sandbox() as behind, daemon(behind) as url:
            rows[f"daemon, {jobs} a request, delivering"] = measure(url, jobs, seconds)
    return rows


def main() -> None:
    parser = arguments("Taking jobs in over HTTP.")
    parser.add_argument("--load", nargs=3, metavar=("URL", "JOBS", "SECONDS"), help="for the benchmark's own use")
    parser.add_argument("--watch-page", metavar="URL", help="for the benchmark's own use")
    parser.add_argument("--serve-nothing", action="store_true", help="for the benchmark's own use")
    options = parser.parse_args()
    if options.load:
        url, jobs, seconds = options.load
        with asyncio.Runner(loop_factory=light_loop()) as runner:
            found = runner.run(Load(url, jobs=int(jobs), seconds=float(seconds)).run())
        sys.stdout.buffer.write(orjson.dumps(found))
        return
    if options.serve_nothing:
        asyncio.run(serve_nothing())
        return
    if options.watch_page:
        asyncio.run(watch_page(options.watch_page))
        return
    runs = [one_run(QUICK_SECONDS if options.quick else SECONDS) for _ in range(options.runs)]
    rows = [
        {"row": name} | {figure: median([run[name][figure] for run in runs]) for figure in runs[0][name]}
        for name in runs[0]
    ]
    rates: dict[str, float] = {name: median([run[name]["requests_per_s"] for run in runs]) for name in runs[0]}
    ratios: dict[str, float | None] = {
        f"{name} / nothing stored": rate / rates[f"handler that stores nothing, {jobs} a request"]
        for jobs in (1, 100)
        for name, rate in rates.items()
        if name.startswith(f"daemon, {jobs} ")
    }
    page = with_a_page(QUICK_SECONDS if options.quick else SECONDS / 2)
    for turn, name in (("0", "without a page"), ("1", "with a page open")):
        rows.append(
            {"row": f"daemon, 1 a request, delivering, {MEMBERS} members, {name}", "requests_per_s": page[turn]}
        )
    ratios["with a page open / without"] = page["1"] / page["0"]
    report("ingest", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
