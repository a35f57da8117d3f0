"""Jobs a second through one to three daemons on one PostgreSQL, what a job costs there, and one task per job beside.

    python -m benchmarks.daemons --json

Everything is on this machine and shares its cores: the database server (`fsync` on), the daemons (`dispatcher run`),
the clients that post jobs (`benchmarks.posting`) and the sandbox that takes Hellotracks' place. Each request says
`Prefer: respond-async`. Time runs from the first request to the last job confirmed. The queues (`benchmarks.queues`)
have one task per job on the same database server and post to the same kind of sandbox. CPU seconds say more than the
clock on a machine that does other things as well: `cores` is how many were busy with what was measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks import queues
from benchmarks.costs import database
from benchmarks.meter import cpu_s, parent, server_cpu_s
from benchmarks.postgres import VARIABLE, missing, server
from benchmarks.rows import arguments, median, report
from benchmarks.server import ROOT, running, sandbox

PER_REQUEST = 200
NUMBERS = (1, 2, 3)
LOOK_S = 0.02
SETTLE_S = 1.2
"""Counters of the database are told a second late."""
CONFIRMED = "SELECT coalesce(sum(rows), 0)::bigint FROM dispatcher.tallies WHERE state = 5"
COUNTERS = """SELECT xact_commit, tup_inserted, tup_updated, pg_current_wal_insert_lsn() - '0/0'::pg_lsn
FROM pg_stat_database WHERE datname = current_database()"""


@dataclass(frozen=True, slots=True)
class Readings:
    """Counters at one moment: of the database, and CPU seconds by who used them."""

    transactions: float
    inserted: float
    updated: float
    wal_bytes: float
    cpu_s: dict[str, float]


class Watcher:
    """Asks the database of a run over a connection of its own.

    Args:
        dsn: of the run's own database.
        pids: processes to be read, by what they are.
    """

    def __init__(self, dsn: str, pids: dict[str, list[int]]) -> None:
        self._pids = pids
        self._loop = asyncio.Runner()
        self._connection: Any = self._loop.run(importlib.import_module("asyncpg").connect(dsn))
        self._loop.run(self._connection.execute("SET log_statement = 'none'"))
        self._postmaster = parent(self._connection.get_server_pid())

    def ask(self, sql: str) -> Any:
        """The only row of a statement."""
        return self._loop.run(self._connection.fetchrow(sql))

    def read(self) -> Readings:
        transactions, inserted, updated, wal = map(float, self.ask(COUNTERS))
        spent = {what: sum(map(cpu_s, pids)) for what, pids in self._pids.items()}
        return Readings(transactions, inserted, updated, wal, spent | {"database": server_cpu_s(self._postmaster)})

    def close(self) -> None:
        self._loop.run(self._connection.close())
        self._loop.close()


def costs(before: Readings, after: Readings, jobs: int, seconds: float) -> dict[str, Any]:
    """What one job took."""
    spent = {what: after.cpu_s[what] - before.cpu_s[what] for what in after.cpu_s}
    return {
        "jobs_per_s": round(jobs / seconds, 1),
        "wal_bytes_per_job": round((after.wal_bytes - before.wal_bytes) / jobs),
        "transactions_per_1000_jobs": round((after.transactions - before.transactions) / jobs * 1000, 1),
        "rows_written_per_job": round((after.inserted - before.inserted + after.updated - before.updated) / jobs, 2),
        **{f"{what}_cpu_ms_per_job": round(s / jobs * 1000, 4) for what, s in spent.items()},
        "cores": round(sum(spent.values()) / seconds, 2),
    }


@contextlib.contextmanager
def daemon(dsn: str, behind: str, name: str, policy: str) -> Iterator[tuple[str, int]]:
    """URL and process number of a daemon of that name."""
    flags = ["--listen", "127.0.0.1:0", "--base-url", behind, "--spool", dsn, "--policy", policy, "--node", name]
    with running("dispatcher", "run", *flags, DISPATCHER_API_KEY="bench") as started:
        yield started


def prepared(dsn: str) -> str:
    """The same database for daemons that connect to it directly: statements stay prepared."""
    return f"{dsn}{'&' if '?' in dsn else '?'}prepared=on"


def post(urls: list[str], name: str, jobs: int, *, finished: Callable[[], bool]) -> dict[str, Any]:
    """Post so many jobs and wait until they are through; the document of `benchmarks.posting` and `seconds`."""
    flags = ["--name", name, "--requests", str(jobs // PER_REQUEST), "--jobs", str(PER_REQUEST)]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.posting", *flags, *urls], cwd=ROOT, stdout=subprocess.PIPE
    ) as clients:
        assert clients.stdout is not None
        began = orjson.loads(clients.stdout.readline())["began"]
        found: dict[str, Any] = orjson.loads(clients.stdout.readline())
    while not finished():
        time.sleep(LOOK_S)
    if found["failed"]:
        raise RuntimeError(f"{found['failed']} requests were not taken")
    return found | {"seconds": time.time() - began, "accept_s": found["ended"] - began}


def through_daemons(server_dsn: str, count: int, jobs: int, policy: str, *, log: Path | None = None) -> dict[str, Any]:
    """One row: `jobs` jobs through `count` daemons. With a log, the database writes every statement into it."""
    with contextlib.ExitStack() as stack:
        dsn = stack.enter_context(database(server_dsn))
        behind = stack.enter_context(sandbox("--fleet-size", "2000"))
        started = [stack.enter_context(daemon(prepared(dsn), behind, f"n{n}", policy)) for n in range(count)]
        urls = [url for url, _ in started]
        watcher = Watcher(dsn, {"daemons": [pid for _, pid in started]})
        stack.callback(watcher.close)
        warm = max(PER_REQUEST * 5, jobs // 10)

        def confirmed(wanted: int) -> Callable[[], bool]:
            return lambda: int(watcher.ask(CONFIRMED)[0]) >= wanted

        post(urls, "warm", warm, finished=confirmed(warm))
        time.sleep(SETTLE_S)
        before, length = watcher.read(), log.stat().st_size if log else 0
        found = post(urls, "load", jobs, finished=confirmed(warm + jobs))
        spent = watcher.read().cpu_s
        time.sleep(SETTLE_S)
        counted = watcher.read()
        after = Readings(counted.transactions, counted.inserted, counted.updated, counted.wal_bytes, spent)
        row = costs(before, after, jobs, found["seconds"])
        if log:
            row["statements_per_1000_jobs"] = round(statements(log, length) / jobs * 1000, 1)
        return row | {
            "accepted_per_s": round(jobs / found["accept_s"], 1),
            "accept_p50_ms": round(found["p50_ms"], 1),
            "accept_p99_ms": round(found["p99_ms"], 1),
        }


def statements(log: Path, after: int) -> int:
    """How many statements a server has logged behind a place in its log."""
    with log.open("rb") as lines:
        lines.seek(after)
        return sum(b" LOG:  execute " in line or b" LOG:  statement: " in line for line in lines)


def through_queue(server_dsn: str, name: str, jobs: int) -> dict[str, Any]:
    """One row: one task per job, until the sandbox has all of them."""
    with contextlib.ExitStack() as stack:
        dsn = stack.enter_context(database(server_dsn))
        behind = stack.enter_context(sandbox("--fleet-size", "2000"))
        queues.prepare(name, dsn)
        pids = stack.enter_context(queues.workers(name, dsn, behind))
        watcher = Watcher(dsn, {"workers": pids})
        stack.callback(watcher.close)

        def created(wanted: int) -> bool:
            with urllib.request.urlopen(f"{behind}/sandbox/stats") as reply:
                return int(orjson.loads(reply.read())["creates"]) >= wanted

        warm = max(50, jobs // 10)
        _run_queue(name, dsn, warm, "warm", lambda: created(warm))
        time.sleep(SETTLE_S)
        before = watcher.read()
        seconds = _run_queue(name, dsn, jobs, "load", lambda: created(warm + jobs))
        spent = watcher.read().cpu_s
        time.sleep(SETTLE_S)
        counted = watcher.read()
        after = Readings(counted.transactions, counted.inserted, counted.updated, counted.wal_bytes, spent)
        return costs(before, after, jobs, seconds)


def _run_queue(name: str, dsn: str, jobs: int, prefix: str, finished: Callable[[], bool]) -> float:
    began = time.monotonic()
    with queues.enqueuing(name, dsn, jobs, prefix=prefix) as started:
        began = started
        while not finished():
            time.sleep(LOOK_S)
    return time.monotonic() - began


def log_of(server_dsn: str) -> Path | None:
    """The log of the server, which writes every statement of other sessions into it from now on; None: not ours."""
    if os.environ.get(VARIABLE):
        return None

    async def set_up() -> str:
        connection = await importlib.import_module("asyncpg").connect(server_dsn)
        folder = await connection.fetchval("SHOW data_directory")
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()
        return str(folder)

    log = Path(asyncio.run(set_up()), "log")
    return log if log.is_file() else None


def one_run(server_dsn: str, *, jobs: int, tasks: int) -> dict[str, dict[str, Any]]:
    """Every row once, taking turns, so that a busy machine is busy for all."""
    rows = {}
    for number in NUMBERS:
        name = f"{number} daemon{'s' * (number > 1)}, policy none"
        rows[name] = through_daemons(server_dsn, number, jobs, "none")
        if number <= len(queues.QUEUES):
            queue = list(queues.QUEUES)[number - 1]
            if not queues.missing(queue):
                rows[f"{queue}, one task per job"] = through_queue(server_dsn, queue, tasks)
    rows["1 daemon, policy nearest, 2 000 members"] = through_daemons(server_dsn, 1, jobs, "nearest")
    return rows


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=60_000, help="jobs of a row (default 60 000)")
    options = parser.parse_args()
    if why := missing():
        sys.stderr.write(f"daemons: {why}\n")
        report("daemons", [], {}, as_json=options.json)
        return
    jobs, tasks = (2_000, 200) if options.quick else (options.jobs, 4_000)
    runs_wanted = 1 if options.quick else options.runs
    with server() as dsn:
        runs = [one_run(dsn, jobs=jobs, tasks=tasks) for _ in range(runs_wanted)]
    rows = [
        {"row": name, "jobs": tasks if "task" in name else jobs}
        | {figure: median([run[name][figure] for run in runs]) for figure in runs[0][name]}
        for name in runs[0]
    ]
    with server() as dsn:
        log = log_of(dsn)
        if log:
            counted = through_daemons(dsn, 1, jobs, "none", log=log)["statements_per_1000_jobs"]
            rows.append(
                {"row": "1 daemon, policy none, counted in a run of its own", "statements_per_1000_jobs": counted}
            )
    rows += [
        {"row": f"{queue}, one task per job", "skipped": why}
        for queue in queues.QUEUES
        if (why := queues.missing(queue))
    ]
    report("daemons", rows, ratios({name: [run[name] for run in runs] for name in runs[0]}), as_json=options.json)


def ratios(runs: dict[str, list[dict[str, Any]]]) -> dict[str, float | None]:
    """Medians of what was measured side by side."""

    def ratio(figure: str, above: str, below: str) -> float | None:
        if above not in runs or below not in runs:
            return None
        return median([a[figure] / b[figure] for a, b in zip(runs[above], runs[below], strict=True)])

    one = "1 daemon, policy none"
    found = {f"{n} daemons / 1": ratio("jobs_per_s", f"{n} daemons, policy none", one) for n in NUMBERS[1:]}
    found["policy nearest / none"] = ratio("jobs_per_s", "1 daemon, policy nearest, 2 000 members", one)
    for queue in queues.QUEUES:
        name = f"{queue}, one task per job"
        found[f"1 daemon / {queue}"] = ratio("jobs_per_s", one, name)
        found[f"database CPU per job, {queue} / 1 daemon"] = ratio("database_cpu_ms_per_job", name, one)
        found[f"log per job, {queue} / 1 daemon"] = ratio("wal_bytes_per_job", name, one)
    return found


if __name__ == "__main__":
    main()
