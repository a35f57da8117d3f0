"""A sandbox in a process of its own, and job files to send to it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from dispatcher.sandbox import generated_jobs

DAY = 20310106
"""a Monday far enough away to be a future day in every run"""


@contextlib.contextmanager
def sandbox(*flags: str) -> Iterator[str]:
    """Base URL of a fresh sandbox; it ends with the block."""
    command = [sys.executable, "-m", "dispatcher", "sandbox", "--port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "ready at " not in line:
                raise RuntimeError(f"the sandbox did not start: {line!r}")
            yield line.rpartition(" ")[2].strip()
        finally:
            process.terminate()


def job_file(path: Path, count: int, *, seed: int = 1) -> Path:
    """`count` generated jobs as JSON lines."""
    with path.open("wb") as lines:
        for job in generated_jobs(count, seed=seed, day=DAY):
            lines.write(orjson.dumps(job, option=orjson.OPT_APPEND_NEWLINE))
    return path
