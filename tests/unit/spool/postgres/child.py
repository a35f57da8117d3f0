"""A process that sends three jobs, is paused by its parent, and brings their outcome too late."""

from __future__ import annotations

import asyncio
import os
import sys

from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool.postgres import PostgresSpool
from tests.conformance.world import job, jobs, path


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main() -> None:
    spool = PostgresSpool(os.environ["DSN"], node="paused", lease_s=1.0)
    await spool.open(now=0.0)
    seqs = [answer.seq for answer in await spool.accept("acme", jobs("abc"), now=1.0)]
    await spool.apply(path(seqs, State.ASSIGNED), now=2.0)
    await spool.claim("acme", limit=3, now=3.0)
    begin = Change(seqs=seqs, to=State.SENDING, expect=(State.ASSIGNED,), add_attempts=1, sent_at=4.0, settle_by=30.0)
    await spool.apply([begin], now=4.0)
    say(*seqs)
    await asyncio.to_thread(sys.stdin.readline)
    done = Change(seqs=seqs, to=State.CONFIRMED, expect=(State.SENDING,), remote_ids=["x", "y", "z"])
    say(*await spool.apply([done], now=5.0))
    await spool.accept("acme", [job("d")], now=6.0)
    mine = [one.seq for one in await spool.claim("acme", limit=3, now=6.0)]
    left = await spool.apply([Change(seqs=mine, to=State.HELD, expect=(State.ACCEPTED,))], now=7.0)
    say(len(mine) - len(left))
    await spool.close()


if __name__ == "__main__":
    asyncio.run(main())
