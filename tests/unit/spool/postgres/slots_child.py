"""A process that takes slots as fast as it gets them: `slots_child.py URL LIMITS SECONDS CLOCK_OFFSET`.

Prints the moments of its slots on the database's clock, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

from dispatcher.errors import SpoolError
from dispatcher.flow import SharedSlots, parse_limits
from dispatcher.spool.postgres import PostgresSpool


async def take(url: str, limits: str, seconds: float, offset_s: float) -> list[float]:
    """The slots of one node, whose clock is off by so much."""
    spool = PostgresSpool(url)
    await spool.open(now=0.0)
    slots = SharedSlots(parse_limits(limits), random.Random())
    moments: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = time.monotonic() + offset_s
        if slots.has(now) and not slots.wait(now):
            slots.take(now)
        elif wait_s := slots.wait(now):
            await asyncio.sleep(wait_s)
        else:
            question = slots.question(now)
            try:
                answer = await spool.shared_limits.ask("acme", question)
            except SpoolError:
                await asyncio.sleep(0.1)
                continue
            slots.answer(question, answer, asked=now, heard=time.monotonic() + offset_s)
            moments += [answer.clock + in_s for in_s in answer.slots]
    await spool.close()
    return moments


if __name__ == "__main__":
    url, limits, seconds, offset_s = sys.argv[1:]
    json.dump(asyncio.run(take(url, limits, float(seconds), float(offset_s))), sys.stdout)
