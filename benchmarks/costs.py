"""What a job, a request, an idle account and a member cost: the figures that `benchmarks.scale` reckons with.

    python -m benchmarks.costs --json
    python -m benchmarks.costs --write        keep them in benchmarks/costs.json

A real daemon on a real PostgreSQL with `fsync` (one of its own, or the one on this machine that
`DISPATCHER_BENCH_POSTGRES` names) takes jobs over HTTP and sends them to a sandbox, in requests of one job for many
accounts and of 200 for one. Both runs have costs per request and per job in them, and two runs tell them apart.
Counted are the transactions and the log of the database, and CPU time of its processes and of the daemon; not the wall
clock, so that a busy machine does little harm. Everything is a median of the runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson

from benchmarks.meter import Watch, memory_bytes, parent, server_cpu_s
from benchmarks.postgres import missing, server
from benchmarks.rows import arguments, median, report
from benchmarks.server import DAY, ROOT, running, sandbox
from benchmarks.spool import CHUNK, LIFE, change, make_jobs, parts
from dispatcher.model.state import State
from dispatcher.sandbox import generated_fleet, generated_jobs
from dispatcher.spool import open_spool
from engine import Engine, EngineSettings

COSTS = Path(__file__).with_name("costs.json")
BATCH = 200
MEMBERS = 1000
ACCOUNTS = 20
"""Of the requests of one job: such loads come from many accounts."""
GAP_S = 0.05
"""Between two requests of an account: each is through, or nearly, when the next one comes."""
REST_S = 2.0
DAYS = 5
NOTHING = 1e-3
"""In its unit; less cannot be told from the noise."""
ASKERS = 3
WHAT = {
    "request_transactions": "a request, whatever is in it, at the database",
    "request_db_cpu_ms": "the same, CPU of the database",
    "request_daemon_cpu_ms": "the same, CPU of the daemon",
    "job_wal_bytes": "a job's whole life, log of the database",
    "job_db_cpu_ms": "the same, CPU of the database",
    "job_daemon_cpu_ms": "the same, CPU of the daemon, without the engine",
    "decide_cpu_ms": f"what the engine adds, {MEMBERS:,} members",
    "daemon_bytes": "a daemon with the engine, memory",
    "stored_bytes": "a settled job on disk, with a body of 240 bytes, indexes included",
    "prune_wal_bytes": "deleting it, log of the database",
    "prune_db_cpu_ms": "deleting it, CPU of the database",
    "idle_transactions": "an account without work, per second and daemon",
    "idle_db_cpu_ms": "the same, CPU of the database",
    "idle_daemon_cpu_ms": "the same, CPU of the daemon",
    "account_bytes": "one more account, memory of a daemon",
    "member_day_bytes": "a member's day in the engine, memory",
    "stop_bytes": "a stop in the engine, memory",
    "slots_per_s": f"slots from one account's row of limits, {ASKERS} daemons asking",
}


@contextlib.contextmanager
def database(server_dsn: str) -> Iterator[str]:
    """DSN of a fresh database."""
    asyncpg: Any = importlib.import_module("asyncpg")
    name = f"costs_{time.time_ns():x}"

    async def run(sql: str) -> None:
        connection = await asyncpg.connect(server_dsn)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(run(f"CREATE DATABASE {name}"))
    try:
        yield urlunsplit(urlsplit(server_dsn)._replace(path=f"/{name}"))
    finally:
        asyncio.run(run(f"DROP DATABASE {name} WITH (FORCE)"))


@contextlib.contextmanager
def daemon(dsn: str, behind: str, *, accounts: int = 0, policy: str = "none") -> Iterator[tuple[str, int]]:
    """URL and process number of a daemon; `accounts` beside the one that is there anyway."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [f'base_url = "{behind}"', f'spool = "{dsn}"', 'listen = "127.0.0.1:0"', f'policy = "{policy}"']
        lines += ['node = "costs"', 'api_key = "costs"', f"max_batch_jobs = {BATCH}"]
        lines += [f'[accounts.a{number}]\napi_key = "key-{number}"' for number in range(accounts)]
        Path(folder, "dispatcher.toml").write_text("\n".join(lines) + "\n", "utf-8")
        with running("dispatcher", "run", folder=folder) as started:
            yield started


async def post(url: str, account: int, requests: int, jobs: int, *, name: str, gap_s: float) -> None:
    """Hand in so many requests of so many jobs for one account, and wait until all are through."""
    made = generated_jobs(requests * jobs, seed=account, day=DAY)
    headers = {"API-Key": f"key-{account}", "Prefer": "respond-async"}
    waiting = f"{url}/jobs?state=accepted,assigned,sending,unknown,held&limit=1"
    async with aiohttp.ClientSession(headers=headers) as session:
        for number in range(requests):
            batch = [next(made) | {"uidSecondary": f"{name}-{number}-{place}"} for place in range(jobs)]
            async with session.post(f"{url}/api/createjobs", json={"data": {"jobs": batch}}) as reply:
                reply.raise_for_status()
            await asyncio.sleep(gap_s)
        while True:
            async with session.get(waiting) as reply:
                if not (await reply.json())["jobs"]:
                    return
            await asyncio.sleep(0.25)


async def post_singly(url: str, requests: int, *, name: str = "single") -> None:
    """Requests of one job for many accounts at a time."""
    await asyncio.gather(*(post(url, account, requests, 1, name=name, gap_s=GAP_S) for account in range(ACCOUNTS)))


@contextlib.contextmanager
def at_work(
    server_dsn: str, *, members: int, accounts: int = 0, policy: str = "none"
) -> Iterator[tuple[str, int, Watch]]:
    """URL and process number of a daemon with a database and a sandbox of its own, and what watches it."""
    with (
        database(server_dsn) as dsn,
        sandbox("--fleet-size", str(members)) as behind,
        daemon(dsn, behind, accounts=accounts, policy=policy) as (url, pid),
    ):
        yield url, pid, Watch(dsn, pid)


def moving(server_dsn: str, policy: str, *, quick: bool) -> tuple[dict[str, float], dict[str, float], float]:
    """Costs of a request and of a job, what the daemon does when idle taken off, and the daemon's memory."""
    singles, fulls = (10, 10) if quick else (100, 100)
    found = []
    with at_work(server_dsn, members=MEMBERS, accounts=ACCOUNTS, policy=policy) as (url, pid, watch):
        asyncio.run(post_singly(url, 1, name="first"))  # the engine is compiled, the fleets are built
        asyncio.run(post(url, 0, 3, BATCH, name="warm", gap_s=0.2))
        time.sleep(REST_S)
        began, before = time.monotonic(), watch.read()
        time.sleep(REST_S * 2)
        idle = watch.read().since(before).per(time.monotonic() - began)
        for requests, load in (
            (singles * ACCOUNTS, post_singly(url, singles)),
            (fulls, post(url, 0, fulls, BATCH, name="full", gap_s=0.0)),
        ):
            began, before = time.monotonic(), watch.read()
            asyncio.run(load)
            spent, seconds = watch.read().since(before).per(requests), time.monotonic() - began
            found.append({name: spent[name] - idle[name] * seconds / requests for name in spent})
        memory = memory_bytes(pid)
    one, many = found
    job = {name: (many[name] - one[name]) / (BATCH - 1) for name in one}
    return {name: one[name] - job[name] for name in one}, job, memory


def delivered(server_dsn: str, *, quick: bool) -> dict[str, float]:
    """Costs of requests and jobs, with and without the engine."""
    request, job, _ = moving(server_dsn, "none", quick=quick)
    _, decided, memory = moving(server_dsn, "nearest", quick=quick)
    return {
        "request_transactions": request["transactions"],
        "request_db_cpu_ms": request["db_cpu_ms"],
        "request_daemon_cpu_ms": request["daemon_cpu_ms"],
        "job_wal_bytes": decided["wal_bytes"],
        "job_db_cpu_ms": max(job["db_cpu_ms"], decided["db_cpu_ms"]),
        "job_daemon_cpu_ms": job["daemon_cpu_ms"],
        "decide_cpu_ms": max(0.0, decided["daemon_cpu_ms"] - job["daemon_cpu_ms"]),
        "daemon_bytes": memory,
    }


async def _settled(dsn: str, count: int) -> tuple[float, float, float]:
    """Bytes of a settled row on disk, then log and rows of pruning them all."""
    asyncpg: Any = importlib.import_module("asyncpg")
    spool = open_spool(dsn)
    await spool.open(now=0.0)
    watcher = await asyncpg.connect(dsn)
    for chunk in parts(make_jobs(count), CHUNK):
        await spool.accept("acme", chunk, now=1.7e9)
        for before, after in pairwise(LIFE):
            if before is not State.SENDING:
                seqs = [job.seq for job in await spool.claim("acme", limit=CHUNK, now=1.7e9, states=(before,))]
            await spool.apply([change(seqs, before, after)], now=1.7e9)
    await watcher.execute("VACUUM dispatcher.jobs, dispatcher.contents")
    size = await watcher.fetchval(
        "SELECT pg_total_relation_size('dispatcher.jobs') + pg_total_relation_size('dispatcher.contents')"
    )
    lsn = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
    before, backend = await watcher.fetchval(lsn), await watcher.fetchval("SELECT pg_backend_pid()")
    spent = server_cpu_s(parent(backend))
    while await spool.prune(before=1.8e9, limit=1000):
        pass
    await watcher.execute("VACUUM dispatcher.jobs, dispatcher.contents")
    spent = server_cpu_s(parent(backend)) - spent
    wal = float(await watcher.fetchval(lsn) - before)
    await spool.close()
    await watcher.close()
    return size / count, wal / count, spent * 1000 / count


def kept(server_dsn: str, *, quick: bool) -> dict[str, float]:
    """What settled jobs take, and what it costs to delete them."""
    with database(server_dsn) as dsn:
        stored, wal, cpu_ms = asyncio.run(_settled(dsn, 5_000 if quick else 50_000))
    return {"stored_bytes": stored, "prune_wal_bytes": wal, "prune_db_cpu_ms": cpu_ms}


def idling(server_dsn: str, *, quick: bool) -> dict[str, float]:
    """What accounts without work take of a daemon and the database, by the difference that more of them make."""
    found, memory = [], []
    numbers = (1, 50) if quick else (1, 200)
    for accounts in numbers:
        with at_work(server_dsn, members=1, accounts=accounts) as (_, pid, watch):
            time.sleep(REST_S * 2)
            began, before = time.monotonic(), watch.read()
            time.sleep(REST_S * (2 if quick else 5))
            found.append(watch.read().since(before).per(time.monotonic() - began))
            memory.append(memory_bytes(pid))
    more = numbers[1] - numbers[0]
    each = {name: (found[1][name] - found[0][name]) / more for name in found[0]}
    return {
        "idle_transactions": each["transactions"],
        "idle_db_cpu_ms": each["db_cpu_ms"],
        "idle_daemon_cpu_ms": each["daemon_cpu_ms"],
        "account_bytes": (memory[1] - memory[0]) / more,
    }


def fleets(*, quick: bool) -> dict[str, float]:
    """Memory of the engine: a day of a member, and a stop."""
    command = [sys.executable, "-m", "benchmarks.costs", "--fleet", "2000" if quick else "20000"]
    grown: dict[str, float] = orjson.loads(subprocess.check_output(command, cwd=ROOT))
    return grown


def fleet(members: int) -> dict[str, float]:
    """For a process of its own: how much it grows with days, and with stops on one of them."""
    found, company = generated_fleet(members, seed=1, now=time.time())
    built = Engine(found, company=company, settings=EngineSettings(), now=time.time())
    jobs = [next(generated_jobs(1, seed=day, day=DAY + day)) for day in range(DAYS + 1)]
    built.decide(jobs[:1])
    before = memory_bytes(os.getpid())
    built.decide(jobs[1:])
    days = memory_bytes(os.getpid())
    stops = 5 * members
    made = generated_jobs(stops, seed=9, day=DAY)
    while batch := list(islice(made, CHUNK)):
        built.decide(batch)
    gc.collect()
    return {
        "member_day_bytes": (days - before) / DAYS / members,
        "stop_bytes": (memory_bytes(os.getpid()) - days) / stops,
    }


def slots(server_dsn: str, *, quick: bool) -> dict[str, float]:
    """How fast an account's row of limits gives slots to several daemons."""
    from benchmarks.limits import take  # noqa: PLC0415 - it uses the database and the folder of this module

    with database(server_dsn) as dsn:
        return {"slots_per_s": asyncio.run(take(dsn, ASKERS, 300 if quick else 6000))["slots_per_s"]}


def one_run(*, quick: bool) -> dict[str, float]:
    """Every cost once."""
    with server() as dsn:
        return {
            **delivered(dsn, quick=quick),
            **kept(dsn, quick=quick),
            **idling(dsn, quick=quick),
            **fleets(quick=quick),
            **slots(dsn, quick=quick),
        }


UNITS = {"transactions": "", "ms": "ms", "bytes": "bytes", "s": "/s"}


def written(costs: dict[str, float], runs: int) -> bytes:
    """The document that `benchmarks.scale` reads."""
    return orjson.dumps(
        {
            "measured": time.strftime("%Y-%m-%d", time.gmtime()),
            "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
            "command": f"python -m benchmarks.costs --write --runs {runs}",
            "costs": {
                name: {
                    "value": float(f"{value:.4g}") if value > NOTHING else 0.0,
                    "unit": UNITS[name.rpartition("_")[2]] + ("/s" if name.startswith("idle_") else ""),
                    "what": WHAT[name],
                }
                for name, value in costs.items()
            },
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/costs.json")
    parser.add_argument("--fleet", type=int, metavar="MEMBERS", help="for the benchmark's own use")
    options = parser.parse_args()
    if options.fleet:
        sys.stdout.buffer.write(orjson.dumps(fleet(options.fleet)))
        return
    if why := missing():
        sys.stderr.write(f"costs: {why}\n")
        report("costs", [], {}, as_json=options.json)
        return
    runs = [one_run(quick=options.quick) for _ in range(options.runs)]
    costs = {name: median([run[name] for run in runs]) for name in runs[0]}
    if options.write:
        COSTS.write_bytes(written(costs, options.runs))
    rows = [{"cost": name, "value": value, "what": WHAT[name]} for name, value in costs.items()]
    report("costs", rows, {}, as_json=options.json)


if __name__ == "__main__":
    main()
