"""A small company beside a sandbox, a daemon in front of it, and somebody who sends jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from dispatcher.sandbox import generated_jobs
from tests.acceptance.command import sandbox_process
from tests.acceptance.serving import DAY, Served, daemon_process

HOSTILE = "<img src=x onerror=document.title='pwned'>"
SPOILED = f'{HOSTILE}"\'><script>document.title="pwned"</script>'
NEVER = {"monday": {"start": 0, "end": 0}}


def member(name: str, lat: float, **fields: Any) -> dict[str, Any]:
    """A member with a place to start from."""
    person = {"uid": name, "username": f"{name}@acme.example", "name": name, "role": "worker", "timezone": "UTC"}
    return person | {"location": {"lat": lat, "lng": 7.69, "ts": 0}} | fields


MEMBERS = (
    member("near", 45.071, working_hours=NEVER),
    member("able", 45.08),
    member("far", 45.5),
    member(SPOILED, 45.3),
)
"""The nearest one to 45.07 has no shift on any day."""


@contextmanager
def company(folder: Path, *flags: str, members: tuple[dict[str, Any], ...] = MEMBERS) -> Iterator[str]:
    """The URL of a sandbox with these members."""
    file = folder / "members.json"
    file.write_bytes(orjson.dumps({"accounts": list(members)}))
    with sandbox_process("--members", str(file), *flags) as url:
        yield url


@contextmanager
def served(folder: Path, *flags: str, **extra: str) -> Iterator[Served]:
    """A daemon in front of such a company."""
    with company(folder) as url, daemon_process(folder, url, "--policy", "nearest", *flags, **extra) as daemon:
        yield daemon


@contextmanager
def under_load(daemon: Served) -> Iterator[None]:
    """Some hundred jobs a second while the block lasts."""
    over = threading.Event()

    def send() -> None:
        number = 0
        while not over.wait(0.1):
            number += 1
            with suppress(OSError):
                daemon.create(*generated_jobs(30, seed=number, day=DAY, keys=f"LOAD-{number}-"), at_once=True)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
