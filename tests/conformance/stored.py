"""Rows in the states that tests begin from, and what can be claimed."""

from __future__ import annotations

from dispatcher.model.state import State
from dispatcher.spool import Spool
from tests.conformance.world import jobs, path

NONE = dict.fromkeys(State, 0)


async def store(spool: Spool, *keys: str, account: str = "acme", to: State = State.ACCEPTED) -> list[int]:
    """Accept new keys and bring them to a state; their rows."""
    seqs = [answer.seq for answer in await spool.accept(account, jobs(keys), now=100.0)]
    assert await spool.apply(path(seqs, to), now=110.0) == []
    return seqs


async def claimed(spool: Spool, *, now: float = 200.0, limit: int = 100, account: str = "acme") -> list[str]:
    return [job.key for job in await spool.claim(account, limit=limit, now=now)]
