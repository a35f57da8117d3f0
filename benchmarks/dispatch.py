"""Jobs a second from a file to confirmed, against the bare loop and against one task per job.

The bare loop (orjson + aiohttp, same batches, same concurrency, nothing stored, nothing decided) is the ceiling.
The peers run one task per job, as task queues do: what a user would build on them. Every run has a fresh sandbox in a
process of its own.

    python -m benchmarks.dispatch --json
    python -m benchmarks.dispatch --million      the memory of a million-line file
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from benchmarks.peers import PEERS
from benchmarks.rows import arguments, median, report
from benchmarks.server import job_file, sandbox

BATCH = 200
CONCURRENCY = 8


async def bare_loop(url: str, file: Path) -> int:
    """Post the file in batches and read the replies: what no durable sender can beat."""
    lines = file.read_bytes().splitlines()
    batches = [lines[first : first + BATCH] for first in range(0, len(lines), BATCH)]
    confirmed = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal confirmed
        while batches:
            jobs = [orjson.loads(line) for line in batches.pop()]
            body = orjson.dumps({"data": {"jobs": jobs}})
            async with session.post(f"{url}/api/createjobs", data=body, headers={"API-Key": "bench"}) as reply:
                reply_body = await reply.read()
            confirmed += len(orjson.loads(reply_body)["jobs"])

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(worker(session) for _ in range(CONCURRENCY)))
    return confirmed


def run_bare(url: str, file: Path, _: Path) -> dict[str, Any]:
    started = time.perf_counter()
    confirmed = asyncio.run(bare_loop(url, file))
    return {"confirmed": confirmed, "seconds": time.perf_counter() - started}


def run_submit(*flags: str) -> Callable[[str, Path, Path], dict[str, Any]]:
    """`dispatcher submit` as a user calls it; seconds are its own, peak memory is the process's."""

    def run(url: str, file: Path, folder: Path) -> dict[str, Any]:
        command = [sys.executable, "-m", "dispatcher", "submit", str(file), "--json", "--base-url", url]
        command += ["--spool", str(folder / "bench.spool.db"), "--max-batch-jobs", str(BATCH)]
        command += ["--max-concurrency", str(CONCURRENCY), *flags]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env=os.environ | {"DISPATCHER_API_KEY": "bench"}
        ) as process:
            assert process.stdout is not None
            document = orjson.loads(process.stdout.read())
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"submit ended with {process.returncode}: {document}")
        return {
            "confirmed": document["confirmed"],
            "seconds": document["seconds"],
            "peak_rss_mb": usage.ru_maxrss / 1024,
        }

    return run


def measure(
    name: str, run: Callable[[str, Path, Path], dict[str, Any]], file: Path, *, jobs: int, runs: int
) -> dict[str, Any]:
    results = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder, sandbox("--fleet-size", "500") as url:
            results.append(run(url, file, Path(folder)))
    assert all(result["confirmed"] == jobs for result in results), (name, results)
    row: dict[str, Any] = {"row": name, "jobs": jobs, "runs": runs}
    row["jobs_per_s"] = round(median([jobs / result["seconds"] for result in results]), 1)
    if "peak_rss_mb" in results[0]:
        row["peak_rss_mb"] = round(max(result["peak_rss_mb"] for result in results), 1)
    return row


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs in the file (default 100 000)")
    parser.add_argument("--million", action="store_true", help="also a million-line file, once, for its memory")
    options = parser.parse_args()
    jobs = 5_000 if options.quick else options.jobs
    peer_jobs = 200 if options.quick else 2_000
    runs = 1 if options.quick else options.runs
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = job_file(Path(folder) / "jobs.jsonl", jobs)
        rows.append(measure("bare loop (orjson + aiohttp)", run_bare, file, jobs=jobs, runs=runs))
        rows.append(measure("submit, policy none", run_submit("--policy", "none"), file, jobs=jobs, runs=runs))
        rows.append(measure("submit, policy nearest", run_submit("--policy", "nearest"), file, jobs=jobs, runs=runs))
        few = job_file(Path(folder) / "few.jsonl", peer_jobs)
        for name, peer in PEERS.items():
            reason = peer.missing()
            if reason:
                rows.append({"row": name, "skipped": reason})
            else:
                rows.append(measure(name, peer.run, few, jobs=peer_jobs, runs=runs))
        if options.million:
            million = job_file(Path(folder) / "million.jsonl", 1_000_000)
            rows.append(measure("submit, a million lines", run_submit(), million, jobs=1_000_000, runs=1))
    speed: dict[str, float] = {row["row"]: row.get("jobs_per_s", 0.0) for row in rows}
    durable = speed["submit, policy nearest"]
    ratios: dict[str, float | None] = {
        "submit (nearest) / bare loop": durable / speed["bare loop (orjson + aiohttp)"],
        "submit (none) / bare loop": speed["submit, policy none"] / speed["bare loop (orjson + aiohttp)"],
    }
    for name in PEERS:
        ratios[f"submit (nearest) / {name}"] = durable / speed[name] if speed[name] else None
    report("dispatch", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
