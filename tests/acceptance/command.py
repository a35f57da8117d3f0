"""The command line as a user runs it: a process of its own, its exit status, its document."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

COMMAND = (sys.executable, "-m", "dispatcher")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = orjson.loads(self.out)
        return document


def environment(**extra: str) -> dict[str, str]:
    """Ours without any setting of the developer's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
    return kept | {"DISPATCHER_API_KEY": "test-key"} | extra


def run(*arguments: str, cwd: Path, stdin: bytes | None = None, timeout_s: float = 60, **extra: str) -> Ended:
    ended = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env=environment(**extra),
        timeout=timeout_s,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


@contextlib.contextmanager
def sandbox_process(*flags: str) -> Iterator[str]:
    """Base URL of a sandbox in a process of its own."""
    with subprocess.Popen(
        [*COMMAND, "sandbox", "--port", "0", *flags], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "ready at " in line, line
            yield line.rpartition(" ")[2].strip()
        finally:
            process.terminate()
            process.wait(timeout=10)


def write_lines(path: Path, jobs: Sequence[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(job, option=orjson.OPT_APPEND_NEWLINE) for job in jobs))
    return path


def get(url: str) -> Any:
    """A JSON document of the sandbox's own pages."""
    import urllib.request  # noqa: PLC0415 - only here

    with urllib.request.urlopen(url, timeout=10) as reply:
        return orjson.loads(reply.read())
