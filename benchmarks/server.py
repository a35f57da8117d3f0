"""Daemons and a sandbox in processes of their own, and job files to send to them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from dispatcher.sandbox import generated_jobs

ROOT = Path(__file__).parents[1]
DAY = 20310106
"""a Monday far enough away to be a future day in every run"""


@contextlib.contextmanager
def running(
    module: str, *arguments: str, folder: Path | str = ROOT, end: signal.Signals = signal.SIGTERM, **environment: str
) -> Iterator[tuple[str, int]]:
    """URL and process number of a server, which gets a signal when the block ends.

    Args:
        module: as after `python -m`.
        arguments: for it.
        folder: where it runs.
        end: the signal.
        environment: beside that of this process, of which no setting of the dispatcher is passed on.

    Raises:
        RuntimeError: it did not start.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "ready at " not in line:
                raise RuntimeError(f"{module} did not start: {line!r}")
            yield line.partition("ready at ")[2].split(",")[0].strip(), process.pid
        finally:
            process.send_signal(end)


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
