"""The daemon as its users meet it: a process of its own, asked over plain sockets."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from tests.acceptance.command import COMMAND, environment

DAY = 20310106


@dataclass(slots=True)
class Answer:
    """A reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class Served:
    """A daemon's process."""

    url: str
    ready: str
    process: subprocess.Popen[str]
    log: Path
    keys: dict[str, str] = field(default_factory=lambda: {"API-Key": "any"})

    @property
    def netloc(self) -> str:
        return urlsplit(self.url).netloc

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        timeout_s: float = 40,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.netloc, timeout=timeout_s)
        try:
            connection.request(method, path, body=body, headers=self.keys if headers is None else dict(headers))
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def create(self, *jobs: Mapping[str, Any], at_once: bool = False, **switches: Any) -> Answer:
        """POST createjobs; `at_once` asks for an answer as soon as the jobs are durable."""
        headers = self.keys | ({"Prefer": "respond-async"} if at_once else {})
        return self.ask("POST", "/api/createjobs", orjson.dumps({"data": {"jobs": jobs, **switches}}), headers=headers)

    def wait_until(self, path: str, found: str, *, timeout_s: float) -> Any:
        """Ask until the JSON document at `path` holds the text."""
        until = time.monotonic() + timeout_s
        while True:
            answer = self.get(path)
            if found.encode() in answer.body:
                return answer.document
            assert time.monotonic() < until, answer.body
            time.sleep(0.05)


@contextlib.contextmanager
def daemon_process(folder: Path, base_url: str, *flags: str, **extra: str) -> Iterator[Served]:
    """A daemon with a spool in `folder`; killed at the end unless it ended before.

    Without a `base_url` only a `dispatcher.toml` in `folder` says what it does.
    """
    log = folder / "daemon.log"
    own = ("--base-url", base_url, "--policy", "none") if base_url else ()
    with (
        log.open("ab") as stderr,
        subprocess.Popen(
            [*COMMAND, "run", "--listen", "127.0.0.1:0", *own, *flags],
            cwd=folder,
            env=environment(**extra),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "ready at " in line, (line, log.read_text())
            yield Served(line.partition("ready at ")[2].partition(",")[0], line, process, log)
        finally:
            process.kill()


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationName": key, "destinationLat": 45.07, "destinationLng": 7.69} | fields
