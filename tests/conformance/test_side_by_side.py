"""The port: many workers at the same time. For every adapter."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool import Spool
from tests.conformance.stored import NONE
from tests.conformance.world import jobs


async def test_workers_side_by_side_settle_every_row_once(spool: Spool) -> None:
    """Two stages over two accounts, with returns, back-offs and jobs arriving: nobody gets a row of another."""
    accounts = ("one", "two")
    total = 600
    in_hand: set[int] = set()
    settled: list[int] = []
    dice = random.Random(7)
    clock = 0.0

    async def arrive(account: str) -> None:
        for start in range(0, total, 40):
            await spool.accept(account, jobs(f"k{number}" for number in range(start, start + 40)), now=clock)
            await asyncio.sleep(0)

    async def work(account: str, state: State, *steps: State) -> None:
        nonlocal clock
        while len(settled) < total * len(accounts):
            clock += 1.0
            taken = await spool.claim(account, limit=dice.randint(1, 30), now=clock, states=(state,))
            seqs = [one.seq for one in taken]
            assert in_hand.isdisjoint(seqs)
            in_hand.update(seqs)
            await asyncio.sleep(0)
            in_hand.difference_update(seqs)
            back = [seq for seq in seqs if dice.random() < 0.2]
            on = [seq for seq in seqs if seq not in back]
            changes = [Change(seqs=on, to=to, expect=(before,)) for before, to in pairwise((state, *steps))]
            if dice.random() < 0.5:
                await spool.release(back)
            else:
                later = State.HELD if state is State.ACCEPTED else State.ACCEPTED
                changes.append(Change(seqs=back, to=later, expect=(state,), next_at=clock + 3.0))
            assert await spool.apply(changes, now=clock) == []
            if State.CONFIRMED in steps:
                settled.extend(on)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for account in accounts:
            group.create_task(arrive(account))
            for _ in range(3):
                group.create_task(work(account, State.ACCEPTED, State.ASSIGNED))
                group.create_task(work(account, State.HELD, State.ACCEPTED))
                group.create_task(work(account, State.ASSIGNED, State.SENDING, State.CONFIRMED))
    assert sorted(settled) == list(range(1, 2 * total + 1))
    assert await spool.counts("one") == NONE | {State.CONFIRMED: total}
