"""Limits that three daemons share in PostgreSQL beside those that one daemon keeps by itself, counted at the server.

    python -m benchmarks.limits --json

The sandbox has the same limits, counts the arrival of every request in every window, and refuses what is too much.
`used` is the share of the allowed rate that arrived in a steady stretch, `passed` how many requests were too many. The
last rows ask the account's row for slots as fast as it answers, under a limit that never makes anybody wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from itertools import chain
from signal import SIGKILL
from typing import Any

import orjson

from benchmarks.costs import database
from benchmarks.postgres import missing, server
from benchmarks.rows import arguments, median, report
from benchmarks.server import DAY, running, sandbox
from dispatcher.flow import Limit, parse_limits
from dispatcher.flow.gcra import spacing
from dispatcher.model.slots import SlotAsk, SlotWindow
from dispatcher.spool import limits_of, open_spool

LIMITS = ("20/s", "20/s, 300/min")
NAMES = ("north", "east", "south")
CREATE = "/api/createjobs"
WARM_S = 3.0
STEADY_S = 20.0
ACCOUNT = "acme"
NO_WAIT = Limit(10_000_000, 1.0)


@contextlib.contextmanager
def daemon(spool: str, behind: str, limits: str, name: str = "") -> Iterator[str]:
    """URL of a daemon that sends one job in a request."""
    flags = ["--listen", "127.0.0.1:0", "--base-url", behind, "--spool", spool, "--limits", limits, "--policy", "none"]
    flags += ["--max-batch-jobs", "1", *(["--node", name] if name else [])]
    with (
        tempfile.TemporaryDirectory() as folder,
        running("dispatcher", "run", *flags, folder=folder, end=SIGKILL, DISPATCHER_API_KEY="bench") as (url, _),
    ):
        yield url


def hand_in(url: str, jobs: int) -> None:
    """So many jobs in one request, stored when this returns."""
    wanted = [
        {"uidSecondary": f"{url}-{number}", "destinationName": "here", "destinationLat": 45.07, "destinationLng": 7.69}
        | {"day": DAY}
        for number in range(jobs)
    ]
    body = orjson.dumps({"data": {"jobs": wanted}})
    headers = {"API-Key": "any", "Prefer": "respond-async", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}{CREATE}", body, headers)) as reply:
        if reply.status != 202:
            raise RuntimeError(f"{url} answered {reply.status}")


def ask(url: str) -> bytes:
    with urllib.request.urlopen(url) as reply:
        return bytes(reply.read())


def sent(url: str) -> float:
    """Createjobs requests of a daemon, as it counts them."""
    lines = ask(f"{url}/metrics").decode().splitlines()
    return sum(float(one.rpartition(" ")[2]) for one in lines if one.startswith("dispatcher_create_requests_total"))


def in_use(spools: list[tuple[str, str]], limits: str, *, steady_s: float) -> dict[str, Any]:
    """One row: daemons on these spools, by name, with more work than the limits let through."""
    per_s = min(limit.count / limit.window_s for limit in parse_limits(limits))
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(sandbox("--fleet-size", "1", "--latency", "0.02", "--limits", limits))
        urls = [stack.enter_context(daemon(spool, behind, limits, name)) for spool, name in spools]
        for url in urls:
            hand_in(url, round(2 * per_s * (WARM_S + steady_s)) + 50)
        time.sleep(WARM_S)
        before, began = orjson.loads(ask(f"{behind}/sandbox/stats")), time.monotonic()
        by_daemon = [sent(url) for url in urls]
        time.sleep(steady_s)
        after, ended = orjson.loads(ask(f"{behind}/sandbox/stats")), time.monotonic()
        shares = [sent(url) - earlier for url, earlier in zip(urls, by_daemon, strict=True)]
    arrived = after["requests"][CREATE] - before["requests"][CREATE]
    return {
        "requests_per_s": round(arrived / (ended - began), 2),
        "used": round(arrived / (ended - began) / per_s, 4),
        "passed": after["limit_violations"],
        "least_share": round(min(shares) / sum(shares), 3),
    }


async def take(dsn: str, asking: int, takes: int) -> dict[str, float]:
    """Slots from one row, so many at a time, over as many connections."""
    spools = [open_spool(dsn) for _ in range(asking)]
    for spool in spools:
        await spool.open(now=time.time())
    spaced = spacing(NO_WAIT)
    window = SlotWindow(NO_WAIT.window_s, NO_WAIT.count, spaced.interval_s, spaced.burst_s)
    question = SlotAsk(windows=(window,), ahead_s=1.0)

    async def some(place: int) -> list[float]:
        limits = limits_of(spools[place])
        assert limits is not None
        times = []
        for _ in range(takes // asking):
            began = time.perf_counter()
            answer = await limits.ask(ACCOUNT, question)
            times.append(time.perf_counter() - began)
            if not answer.slots:
                raise RuntimeError(f"no slot for {answer.wait_s} s")
        return times

    await some(0)
    began = time.perf_counter()
    times = sorted(chain.from_iterable(await asyncio.gather(*map(some, range(asking)))))
    seconds = time.perf_counter() - began
    for spool in spools:
        await spool.close()
    return {
        "slots_per_s": len(times) / seconds,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
    }


def one_run(server_dsn: str, *, steady_s: float, takes: int) -> dict[str, dict[str, Any]]:
    """Every row once."""
    rows: dict[str, dict[str, Any]] = {}
    for limits in LIMITS:
        with tempfile.TemporaryDirectory() as folder:
            rows[f"{limits}: 1 daemon, a file"] = in_use([(f"{folder}/spool.db", "")], limits, steady_s=steady_s)
        with database(server_dsn) as dsn:
            rows[f"{limits}: 3 daemons, one database"] = in_use(
                [(dsn, name) for name in NAMES], limits, steady_s=steady_s
            )
    for asking in (1, 8):
        for prepared in (False, True):
            with database(server_dsn) as dsn:
                own = f"{dsn}{'&' if '?' in dsn else '?'}prepared=on" if prepared else dsn
                name = f"slots, {asking} at a time{', prepared=on' if prepared else ''}"
                rows[name] = {key: round(value, 2) for key, value in asyncio.run(take(own, asking, takes)).items()}
    return rows


def main() -> None:
    options = arguments((__doc__ or "").partition("\n")[0]).parse_args()
    if why := missing():
        sys.stderr.write(f"limits: {why}\n")
        report("limits", [], {}, as_json=options.json)
        return
    steady_s, takes = (2.0, 160) if options.quick else (STEADY_S, 4_000)
    with server() as dsn:
        runs = [one_run(dsn, steady_s=steady_s, takes=takes) for _ in range(1 if options.quick else options.runs)]
    rows: list[dict[str, Any]] = [
        {"row": name} | {figure: median([run[name][figure] for run in runs]) for figure in runs[0][name]}
        for name in runs[0]
    ]
    for row in rows:
        if "passed" in row:
            row["passed"] = max(run[row["row"]]["passed"] for run in runs)
    ratios = {
        f"{limits}: 3 daemons / 1": median(
            [
                run[f"{limits}: 3 daemons, one database"]["requests_per_s"]
                / run[f"{limits}: 1 daemon, a file"]["requests_per_s"]
                for run in runs
            ]
        )
        for limits in LIMITS
    }
    report("limits", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
