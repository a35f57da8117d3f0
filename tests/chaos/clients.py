"""Clients that hand in jobs to one daemon after the other until one of them has acknowledged."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.chaos.daemon import Daemon

JOBS = 3
"""Of a request."""
TIMEOUT_S = 2.0
AGAIN_S = 0.05


@dataclass(slots=True)
class Handed:
    """What one client has handed in.

    Attributes:
        acknowledged: key → monotonic time of the answer.
        refused: monotonic times at which a daemon did not take the jobs: refused connection, 503, no answer.
        tried: requests.
    """

    acknowledged: dict[str, float] = field(default_factory=dict)
    refused: list[float] = field(default_factory=list)
    tried: int = 0


async def hand_in(
    daemons: Sequence[Daemon],
    client: int,
    make: Callable[[str], dict[str, Any]],
    stop: asyncio.Event,
    *,
    pause_s: tuple[float, float],
) -> Handed:
    """Three jobs at a time until told to stop; a request that was begun is brought to its end.

    Args:
        daemons: any of them will do.
        client: number, for keys and dice.
        make: a job with a key.
        stop: ends it.
        pause_s: between two requests, least and most.
    """
    dice = random.Random(client)
    handed = Handed()
    number = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
        while not stop.is_set():
            jobs = [make(f"{client}-{number}-{part}") for part in range(JOBS)]
            number += 1
            while not await _acknowledged(session, dice.choice(daemons).url, jobs):
                handed.refused.append(time.monotonic())
                await asyncio.sleep(AGAIN_S)
            handed.tried += 1
            handed.acknowledged.update(dict.fromkeys((job["uidSecondary"] for job in jobs), time.monotonic()))
            await asyncio.sleep(dice.uniform(*pause_s))
    return handed


async def _acknowledged(session: aiohttp.ClientSession, url: str, jobs: list[dict[str, Any]]) -> bool:
    if not url:
        return False
    try:
        headers = {"API-Key": "any", "Prefer": "respond-async"}
        async with session.post(f"{url}/api/createjobs", json={"data": {"jobs": jobs}}, headers=headers) as reply:
            await reply.read()
            return reply.status == 202
    except (aiohttp.ClientError, TimeoutError):
        return False
