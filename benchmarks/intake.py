"""Reading files of jobs: checked jobs a second and peak memory, against a loop that only decodes the same lines.

    python -m benchmarks.intake --json

Every row is measured in a process of its own, so that its peak memory is its own too.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks.rows import arguments, median, report

JOBS = 1_000_000
QUICK_JOBS = 20_000
ROOT = Path(__file__).parents[1]


def jobs(count: int) -> Iterator[dict[str, Any]]:
    """Jobs of the usual size, about 350 bytes of JSON each."""
    for number in range(count):
        yield {
            "uidSecondary": f"EXT-{number:07d}",
            "destinationName": f"Visit {number}",
            "destinationText": "Via Roma 12, 33100 Udine",
            "destinationLat": 45 + number % 9973 / 9973,
            "destinationLng": 9 + number % 7919 / 7919,
            "day": 20261130,
            "windowStart": 900,
            "windowEnd": 1100,
            "onSiteSeconds": 1800,
            "teamId": number % 7,
            "priority": number % 11,
            "contactName": "Anna Rossi",
            "contactPhone": "+39 0432 123456",
            "textDispatcher": "ring twice",
        }


def write_files(folder: Path, count: int) -> None:
    with (folder / "lines").open("wb") as file:
        file.writelines(orjson.dumps(job) + b"\n" for job in jobs(count))
    with (folder / "unnamed").open("wb") as file:
        file.writelines(orjson.dumps(job | {"uidSecondary": None}) + b"\n" for job in jobs(count))
    with (folder / "body").open("wb") as file:
        file.write(b'{"data":{"jobs":[')
        file.writelines((b"," if at else b"") + orjson.dumps(job) for at, job in enumerate(jobs(count)))
        file.write(b"]}}")
    with (folder / "table").open("w", newline="") as text:
        writer = csv.DictWriter(text, list(next(jobs(1))))
        writer.writeheader()
        writer.writerows(jobs(count))


def read_checked(path: str) -> int:
    from dispatcher.intake import read_jobs  # noqa: PLC0415 - the other readers must not pay for it

    return sum(len(chunk.jobs) for chunk in read_jobs(path))


def read_bare(decode: Callable[[bytes], Any]) -> Callable[[str], int]:
    def read(path: str) -> int:
        with open(path, "rb") as file:  # noqa: PTH123
            return sum(1 for line in file if decode(line))

    return read


READERS: dict[str, tuple[str, Callable[[str], int]]] = {
    "JSON lines, checked": ("lines", read_checked),
    "JSON lines without keys, checked": ("unnamed", read_checked),
    "createjobs body, checked": ("body", read_checked),
    "CSV, checked": ("table", read_checked),
    "JSON lines, json.loads alone": ("lines", read_bare(json.loads)),
    "JSON lines, orjson.loads alone": ("lines", read_bare(orjson.loads)),
}


def measure(name: str, path: str) -> None:
    """In a child: read once, print seconds of processor time and peak memory."""
    import resource  # noqa: PLC0415 - only the child asks

    before = time.process_time()
    count = READERS[name][1](path)
    seconds = time.process_time() - before
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"jobs": count, "seconds": seconds, "peak_mb": peak_mb}))


def main() -> None:
    parser = arguments("Reading files of jobs.")
    parser.add_argument("--child", nargs=2, help="for the benchmark's own use")
    options = parser.parse_args()
    if options.child:
        measure(*options.child)
        return
    count = QUICK_JOBS if options.quick else JOBS
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), count)
        for name, (file, _) in READERS.items():
            command = [sys.executable, "-m", "benchmarks.intake", "--child", name, f"{folder}/{file}"]
            runs = [json.loads(subprocess.check_output(command, cwd=ROOT)) for _ in range(options.runs)]
            rate = median([run["jobs"] / run["seconds"] for run in runs])
            rows.append(
                {"row": name, "jobs": count, "jobs_per_s": rate, "peak_mb": median([run["peak_mb"] for run in runs])}
            )
    rates: dict[str, float] = {row["row"]: row["jobs_per_s"] for row in rows}
    bare = rates["JSON lines, json.loads alone"]
    ratios = {f"{name} / json.loads alone": rate / bare for name, rate in rates.items() if name.endswith("checked")}
    report("intake", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
