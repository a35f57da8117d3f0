"""Several processes on one database: what each holds is its own while it lives, and nobody's when it does not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool.postgres import PostgresSpool
from tests import postgres
from tests.conformance.world import job, jobs, path
from tests.unit.spool.postgres.conftest import Opened

CHILD = Path(__file__).with_name("child.py")
LEASE_S = 0.6


def begin(seqs: Sequence[int]) -> Change:
    """The attempt."""
    return Change(seqs=seqs, to=State.SENDING, expect=(State.ASSIGNED,), add_attempts=1, sent_at=20.0, settle_by=50.0)


def done(seqs: Sequence[int], ids: Sequence[str] | None = None) -> Change:
    """Its outcome."""
    return Change(seqs=seqs, to=State.CONFIRMED, expect=(State.SENDING,), remote_ids=ids)


async def store(spool: PostgresSpool, keys: Sequence[str], *, to: State = State.ACCEPTED) -> list[int]:
    seqs = [answer.seq for answer in await spool.accept("acme", jobs(keys), now=1.0)]
    assert await spool.apply(path(seqs, to), now=2.0) == []
    return seqs


async def taken(spool: PostgresSpool, *states: State, limit: int = 100) -> list[int]:
    claimed = await spool.claim("acme", limit=limit, now=100.0, states=states or (State.ACCEPTED, State.ASSIGNED))
    return [one.seq for one in claimed]


async def until_taken(spool: PostgresSpool, *states: State) -> list[int]:
    """Claim until there is something."""
    async with asyncio.timeout(10):
        while not (seqs := await taken(spool, *states)):  # noqa: ASYNC110 - there is nothing to be woken by
            await asyncio.sleep(0.05)
    return seqs


async def test_nodes_share_the_rows_out(node: Opened) -> None:
    """Claims at the same time, from three processes' spools: every row once."""
    nodes = [await node(name) for name in ("one", "two", "three")]
    seqs = await store(nodes[0], [f"k{number}" for number in range(200)])
    shares = await asyncio.gather(*(taken(nodes[turn % 3], limit=9) for turn in range(30)))
    assert sorted(seq for share in shares for seq in share) == seqs


async def test_a_node_that_comes_leaves_the_others_what_they_hold(node: Opened) -> None:
    one = await node("one")
    held, sending = (await store(one, ["held"]))[0], (await store(one, ["sending"], to=State.ASSIGNED))[0]
    assert await taken(one) == [held, sending]
    await one.apply([begin([sending])], now=20.0)
    two = await node("two")
    assert await taken(two, *State) == []
    assert (await two.counts("acme"))[State.SENDING] == 1
    assert await one.apply([done([sending])], now=21.0) == []
    await one.release([held])
    assert await taken(two) == [held]


async def test_what_a_dead_node_held_comes_back_when_its_lease_has_run_out(node: Opened) -> None:
    """What it was sending is unknown then, and keeps the time from which a look-up is final."""
    one = await node("one", lease_s=LEASE_S)
    two = await node("two", lease_s=LEASE_S, clock=lambda: 77.0)
    held = await store(one, "ab")
    assert await taken(one) == held
    sending = await store(one, "cd", to=State.ASSIGNED)
    await one.apply([begin(sending)], now=20.0)
    one.abandon()
    assert await taken(two, *State) == []
    assert await until_taken(two) == held
    unknown = await two.receipts("acme", states=[State.UNKNOWN])
    assert [(row.seq, row.attempts, row.settle_by, row.updated_at) for row in unknown] == [
        (seq, 1, 50.0, 77.0) for seq in sending
    ]
    assert await taken(two, State.UNKNOWN) == sending
    counts = await two.counts("acme")
    assert (counts[State.SENDING], counts[State.UNKNOWN], counts[State.ACCEPTED]) == (0, 2, 2)


async def test_what_is_being_sent_cannot_be_given_back(node: Opened) -> None:
    """It is no claim: whoever sends it brings its outcome, or dies."""
    one = await node("one")
    seqs = await store(one, "ab", to=State.ASSIGNED)
    assert await taken(one) == seqs
    await one.apply([begin(seqs)], now=20.0)
    await one.release(seqs)
    assert await one.apply([done(seqs[:1])], now=21.0) == []
    one.abandon()
    two = await node("one")
    assert await taken(two, State.UNKNOWN) == seqs[1:]


async def test_an_idle_node_keeps_its_lease(node: Opened) -> None:
    one, two = await node("one", lease_s=LEASE_S), await node("two", lease_s=LEASE_S)
    seqs = await store(one, "ab")
    assert await taken(one) == seqs
    await asyncio.sleep(4 * LEASE_S)
    assert await taken(two) == []
    assert await one.apply([Change(seqs=seqs, to=State.HELD, expect=(State.ACCEPTED,))], now=3.0) == []


async def test_a_node_that_leaves_is_not_waited_for(node: Opened) -> None:
    one, two = await node("one", lease_s=3600.0), await node("two", lease_s=LEASE_S)
    seqs = await store(one, "ab")
    assert await taken(one) == seqs
    await one.close()
    assert await until_taken(two) == seqs


async def test_a_process_that_was_paused_for_longer_than_its_lease_writes_nothing(dsn: str, node: Opened) -> None:
    """SIGSTOP; another node takes its jobs and sends them anew; SIGCONT: the outcome of the first one is not taken."""
    two = await node("two", lease_s=1.0)
    environment = os.environ | {"DSN": dsn, "PYTHONPATH": str(Path.cwd())}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD)),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        seqs = [int(word) for word in (await child.stdout.readline()).split()]
        assert len(seqs) == 3
        child.send_signal(signal.SIGSTOP)
        assert await until_taken(two, State.UNKNOWN) == seqs
        again = Change(seqs=seqs, to=State.ASSIGNED, expect=(State.UNKNOWN,))
        assert await two.apply([again], now=60.0) == []
        assert await taken(two, State.ASSIGNED) == seqs
        assert await two.apply([begin(seqs)], now=61.0) == []
        child.send_signal(signal.SIGCONT)
        child.stdin.write(b"go on\n")
        assert [int(word) for word in (await child.stdout.readline()).split()] == seqs
        rows = await two.receipts("acme", seqs=seqs)
        assert [(row.state, row.attempts, row.remote_id) for row in rows] == [(State.SENDING, 2, None)] * 3
        assert await two.apply([done(seqs, ["1", "2", "3"])], now=62.0) == []
        # It goes on as a node with another number, and may take and write what it takes from now on.
        assert (await child.stdout.readline()).split() == [b"1"]
    finally:
        child.send_signal(signal.SIGCONT)
        child.kill()
        await child.wait()


async def test_a_claim_that_was_lost_is_worth_nothing_later(node: Opened) -> None:
    """The row is in the expected state again, and nobody's; still it is not the one that was claimed."""
    one, two = await node("one", lease_s=LEASE_S), await node("two", lease_s=LEASE_S)
    seqs = await store(one, "ab", to=State.ASSIGNED)
    assert await taken(one) == seqs
    one._beating.cancel()
    assert await until_taken(two) == seqs
    await two.release(seqs)
    assert await one.apply([begin(seqs)], now=20.0) == seqs
    assert one._writer.lost_leases == 1
    assert await taken(two) == seqs
    await two.release(seqs)
    back = Change(seqs=seqs, to=State.ACCEPTED, expect=(State.ASSIGNED,))
    assert await one.apply([back], now=21.0) == []  # the old claim is forgotten: this is like anybody's change


async def test_of_two_processes_with_one_name_the_later_one_goes_on_and_the_other_says_why_not(node: Opened) -> None:
    one = await node("same")
    seqs = await store(one, "ab")
    assert await taken(one) == seqs
    two = await node("same")
    assert await taken(two) == seqs
    with pytest.raises(SpoolError, match=f"node name same was taken over by process {os.getpid()}"):
        await one.accept("acme", [job("c")], now=3.0)
    assert await two.apply([Change(seqs=seqs, to=State.HELD, expect=(State.ACCEPTED,))], now=3.0) == []


async def test_a_name_that_another_process_of_the_machine_uses_right_now_is_not_taken_over(
    dsn: str, node: Opened
) -> None:
    """Such as a command that was given the daemon's whole environment. Once that process has gone, it is."""
    with subprocess.Popen(["sleep", "60"]) as other:  # noqa: ASYNC220 - it takes a moment
        try:
            one = await node("same")
            seqs = await store(one, "ab")
            assert await taken(one) == seqs
            await postgres.execute(dsn, f"UPDATE dispatcher.nodes SET pid = {other.pid} WHERE name = 'same'")
            with pytest.raises(SpoolUnusable, match=f"name same is in use by process {other.pid} of this machine"):
                await node("same")
        finally:
            other.kill()
    assert await taken(await node("same")) == seqs


async def test_a_person_takes_a_job_back_whoever_has_claimed_it(node: Opened) -> None:
    """Only while it waits to be sent; what another node is sending is left alone."""
    one, two = await node("one"), await node("two")
    waiting, sending = await store(one, "ab", to=State.ASSIGNED)
    assert await taken(one) == [waiting, sending]
    await one.apply([begin([sending])], now=20.0)
    back = Change(seqs=[waiting, sending], to=State.DEAD, expect=(State.ASSIGNED, State.SENDING), error="withdrawn: x")
    assert await two.apply([back], now=21.0) == [sending]
    assert await one.apply([begin([waiting])], now=22.0) == [waiting]


async def test_nodes_that_store_the_same_keys_at_the_same_time_store_them_once(node: Opened) -> None:
    """In the same order and in the opposite one: whoever comes later sees what is there."""
    one, two = await node("one"), await node("two")
    for turn in range(10):
        keys = [f"{turn}-{number}" for number in range(20)]
        answers = await asyncio.gather(
            one.accept("acme", jobs(keys), now=1.0), two.accept("acme", jobs(keys[:: 1 if turn % 2 else -1]), now=1.0)
        )
        assert sum(answer.fresh for part in answers for answer in part) == 20
    assert (await two.counts("acme"))[State.ACCEPTED] == 200


async def test_counters_are_the_same_for_every_node_whoever_moved_the_rows(node: Opened) -> None:
    one, two = await node("one"), await node("two")
    seqs = await store(one, "abcd")
    assert await taken(two, limit=2) == seqs[:2]
    await two.apply([Change(seqs=seqs[:2], to=State.HELD, expect=(State.ACCEPTED,))], now=3.0)
    for spool in (one, two):
        counts = await spool.counts("acme")
        assert (counts[State.ACCEPTED], counts[State.HELD]) == (2, 2)
    await one.close()
    three = await node("one")
    assert await three.counts("acme") == counts
