"""The SQLite spool against a bare sqlite3 loop on the same disk: how many durable jobs and moves a second.

    python -m benchmarks.spool --json

The reference is what one writes first: one table, `executemany`, one commit per chunk, in one thread that nothing
disturbs. The spool does more for each row (versions, counters, claims, an index for what is due), keeps the event loop
free, and is also measured beside a loop that is busy with other work for half of the time, and for all of it.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from benchmarks.rows import arguments, median, report
from dispatcher.model.records import Change, NewJob
from dispatcher.model.state import State
from dispatcher.spool import SqliteSpool

CHUNK = 1000
BATCH = 200
CALLERS = 8
SLICE_S = 0.0005
"""One piece of the other work of a busy loop: about one batch of a pipeline."""
NOTE = '{"distance_m":1234.5,"added_travel_s":321.0,"position":2,"start_s":36120.0}'
LOOPS = {"idle": 0.0, "half busy": 0.5, "busy": 1.0}
"""Share of the time in which the loop does other work."""
LIFE = (State.ACCEPTED, State.ASSIGNED, State.SENDING, State.CONFIRMED)

T = TypeVar("T")


def make_jobs(count: int) -> list[NewJob]:
    """Jobs of about 300 bytes with random keys, the hard case for the index."""
    dice = random.Random(1)
    name = b'","destinationLat":45.123456,"destinationLng":9.12345,"destinationName":"' + b"x" * 180 + b'"}'
    keys = [f"{dice.getrandbits(128):032x}" for _ in range(count)]
    return [NewJob(key, b'{"uidSecondary":"' + key.encode() + name, dice.randbytes(16)) for key in keys]


def parts(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def bare(folder: Path, jobs: list[NewJob]) -> dict[str, float]:
    """Seconds of each step of the reference."""
    times = {}
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE jobs (seq INTEGER PRIMARY KEY, key TEXT NOT NULL, version INTEGER NOT NULL, digest BLOB,"
            " state INTEGER NOT NULL, attempts INTEGER NOT NULL, worker TEXT, note TEXT, remote_id TEXT, body BLOB,"
            " UNIQUE (key, version))"
        )
        rows = [(seq, job.key, 1, job.digest, 0, 0, None, "", None, job.body) for seq, job in enumerate(jobs, 1)]
        began = time.perf_counter()
        for chunk in parts(rows, CHUNK):
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", chunk)
            connection.execute("COMMIT")
        times["accept"] = time.perf_counter() - began
        moves = (
            ("UPDATE jobs SET state = 1, worker = ?, note = ? WHERE seq = ? AND state = 0", ("ann@acme.com", NOTE)),
            ("UPDATE jobs SET state = 2, attempts = attempts + 1 WHERE seq = ? AND state = 1", ()),
            ("UPDATE jobs SET state = 5, remote_id = ? WHERE seq = ? AND state = 2", ("5629499534213120",)),
        )
        began = time.perf_counter()
        for sql, values in moves:
            for batch in parts([(*values, row[0]) for row in rows], BATCH):
                connection.execute("BEGIN")
                connection.executemany(sql, batch)
                connection.execute("COMMIT")
        times["apply"] = time.perf_counter() - began
    times["life"] = times["accept"] + times["apply"]
    return times


async def each(items: Iterable[T], work: Callable[[T], Awaitable[object]]) -> None:
    """`work` for every item, by some callers at the same time."""
    rest = iter(items)

    async def caller() -> None:
        for item in rest:
            await work(item)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def other_work(share: float) -> None:
    """Keep the loop busy for a share of the time."""
    while True:
        until = time.perf_counter() + SLICE_S
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0 if share >= 1 else SLICE_S * (1 / share - 1))


def change(seqs: list[int], before: State, after: State) -> Change:
    """The ordinary change of a batch on its way."""
    if after is State.ASSIGNED:
        workers = [f"member{seq % 500}@acme.com" for seq in seqs]
        return Change(seqs=seqs, to=after, expect=(before,), workers=workers, notes=[NOTE] * len(seqs))
    if after is State.SENDING:
        return Change(seqs=seqs, to=after, expect=(before,), add_attempts=1, sent_at=1.7e9, settle_by=1.7e9 + 30)
    return Change(seqs=seqs, to=after, expect=(before,), remote_ids=[str((5 << 50) + seq) for seq in seqs])


async def through_spool(path: Path, jobs: list[NewJob], busy: float) -> dict[str, float]:
    """Seconds of each step of the spool, beside a loop that is busy for a share of the time."""
    spool = SqliteSpool(path)
    await spool.open(now=0.0)
    load = asyncio.create_task(other_work(busy)) if busy else None
    times = {"claim": 0.0, "apply": 0.0}
    began = time.perf_counter()
    await each(parts(jobs, CHUNK), lambda chunk: spool.accept("acme", chunk, now=1.7e9))
    times["accept"] = time.perf_counter() - began
    batches: list[list[int]] = []
    for before, after in pairwise(LIFE):
        if before is not State.SENDING:
            began = time.perf_counter()
            batches = []
            while taken := await spool.claim("acme", limit=BATCH, now=1.7e9, states=(before,)):
                batches.append([job.seq for job in taken])
            times["claim"] += time.perf_counter() - began
        changes = [change(seqs, before, after) for seqs in batches]
        began = time.perf_counter()
        await each(changes, lambda one: spool.apply([one], now=1.7e9))
        times["apply"] += time.perf_counter() - began
    if load is not None:
        load.cancel()
    confirmed = (await spool.counts("acme"))[State.CONFIRMED]
    await spool.close()
    if confirmed != len(jobs):
        raise SystemExit(f"{confirmed} of {len(jobs)} jobs confirmed")
    times["life"] = times["accept"] + times["apply"]
    return times


def measure(jobs: list[NewJob]) -> dict[str, dict[str, float]]:
    """Seconds by step for the reference and for the spool beside each kind of loop."""
    with tempfile.TemporaryDirectory(prefix="spool-bench-") as name:
        folder = Path(name)
        runs = {"bare": bare(folder, jobs)}
        for loop, share in LOOPS.items():
            runs[loop] = asyncio.run(through_spool(folder / f"{loop}.db", jobs, share))
    return runs


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    count = 20_000 if options.quick else 100_000
    jobs = make_jobs(count)
    runs = [measure(jobs) for _ in range(options.runs)]
    middle = {loop: {step: median([run[loop][step] for run in runs]) for step in runs[0][loop]} for loop in runs[0]}
    rows_of = {"accept": count, "claim": 2 * count, "apply": 3 * count, "life": count}
    rows = [
        {"loop": loop, "step": step, "rows": rows_of[step], "rows_per_s": round(rows_of[step] / seconds)}
        for loop, steps in middle.items()
        for step, seconds in steps.items()
    ]
    ratios = {
        f"{step} with {loop} loop / bare": middle["bare"][step] / middle[loop][step]
        for loop in LOOPS
        for step in ("accept", "apply", "life")
    }
    report("spool", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
