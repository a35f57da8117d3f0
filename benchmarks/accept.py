"""How long a caller waits for the durable acceptance of one job, with many callers at once.

Sixty-four callers share the commits of one writer. The reference is what each would do alone: one row, one commit.

    python -m benchmarks.accept --json
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.rows import arguments, median, report
from dispatcher.model.records import NewJob
from dispatcher.spool import SqliteSpool

CALLERS = 64
BODY = b'{"destinationName":"' + b"x" * 250 + b'"}'


def jobs(count: int) -> list[NewJob]:
    """Jobs of ordinary size with keys of their own."""
    return [NewJob(f"K-{n:08d}", BODY, n.to_bytes(16, "big")) for n in range(count)]


async def shared_commits(path: Path, count: int) -> list[float]:
    """Seconds that each acceptance took, 64 callers at a time."""
    spool = SqliteSpool(str(path))
    await spool.open(now=0.0)
    waiting = iter(jobs(count))
    took: list[float] = []

    async def caller() -> None:
        for job in waiting:
            started = time.perf_counter()
            await spool.accept("bench", [job], now=1.0)
            took.append(time.perf_counter() - started)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await spool.close()
    return took


def own_commits(path: Path, count: int) -> float:
    """Rows a second with one commit each."""
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE job (key TEXT PRIMARY KEY, body BLOB, digest BLOB)")
        started = time.perf_counter()
        for job in jobs(count):
            database.execute("INSERT INTO job VALUES (?, ?, ?)", (job.key, job.body, job.digest))
        seconds = time.perf_counter() - started
    database.close()
    return count / seconds


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    count = 4_000 if options.quick else 40_000
    runs = 1 if options.quick else options.runs
    rates: list[float] = []
    alone: list[float] = []
    middles: list[float] = []
    tails: list[float] = []
    for run in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            alone.append(own_commits(Path(folder) / "alone.db", count // 10))
            started = time.perf_counter()
            took = sorted(asyncio.run(shared_commits(Path(folder) / f"{run}.db", count)))
            rates.append(count / (time.perf_counter() - started))
            middles.append(took[len(took) // 2] * 1e3)
            tails.append(took[len(took) * 99 // 100] * 1e3)
    rows: list[dict[str, Any]] = [
        {"row": "one row a commit, one caller", "rows_per_s": round(median(alone), 1)},
        {
            "row": f"spool, {CALLERS} callers, one job each",
            "rows_per_s": round(median(rates), 1),
            "p50_ms": round(median(middles), 2),
            "p99_ms": round(median(tails), 2),
        },
    ]
    report("accept", rows, {"shared / own commits": median(rates) / median(alone)}, as_json=options.json)


if __name__ == "__main__":
    main()
