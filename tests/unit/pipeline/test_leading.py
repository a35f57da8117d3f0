"""Several dispatchers on one database: one of them decides, all of them accept, send and tell outcomes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from dispatcher import Dispatcher
from dispatcher.model.state import State
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.spool.postgres import PostgresSpool
from tests.unit.pipeline.living import DAY, NEXT_DAY, edit, job, member, now_ms, route, until

LEASE_S = 2.0
CAP = 3
Opened = Callable[..., Awaitable[Dispatcher]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Four members who take three jobs a day each."""
    members = [member(name, 45.07 + number / 100) for number, name in enumerate(("ann", "bob", "cid", "dot"))]
    async with Sandbox(SandboxSettings(members=members)) as opened:
        yield opened


@pytest.fixture
async def opened(dsn: str, sandbox: Sandbox) -> AsyncIterator[Opened]:
    """Opens dispatchers under a name; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_one(name: str, **settings: Any) -> Dispatcher:
            plain: dict[str, Any] = {
                "base_url": sandbox.url,
                "api_key": "key",
                "fallback": "unassigned",
                "max_jobs_per_day": CAP,
                "fleet_sync_s": 1.0,
                "routes_sync_s": 1.0,
                "shutdown_grace_s": 1.0,
            }
            spool = PostgresSpool(dsn, node=name, lease_s=LEASE_S)
            d = Dispatcher(live=True, spool=spool, **(plain | settings))
            return await stack.enter_async_context(d)

        yield open_one


def store(d: Dispatcher) -> PostgresSpool:
    spool = d.pipeline.spool
    assert isinstance(spool, PostgresSpool)
    return spool


def beating(d: Dispatcher) -> asyncio.Task[None]:
    """Without it the node's lease runs out."""
    return store(d)._beating


async def pair(opened: Opened, **settings: Any) -> tuple[Dispatcher, Dispatcher]:
    """The leader and another."""
    one = await opened("one", **settings)
    await until(lambda: one.pipeline.lead.held)
    assert await one.pipeline.fleet.ready((DAY,))  # loads the engine, which may take longer than a lease
    two = await opened("two", **settings)
    await until(lambda: two.pipeline.lead.leader == "one" and one.pipeline.lead.certain)
    return one, two


def taken(sandbox: Sandbox) -> Counter[str]:
    """Jobs by member, as Hellotracks has them."""
    return Counter(sandbox.jobs[key]["worker"] for key in sandbox.jobs if sandbox.jobs[key].get("worker"))


async def test_only_the_leader_decides_and_both_know_of_the_outcomes(opened: Opened, sandbox: Sandbox) -> None:
    """Jobs handed in at the same time at both, one more than fit: no member has too many."""
    one, two = await pair(opened)
    async with asyncio.timeout(20):
        halves = await asyncio.gather(
            one.submit([job(f"a{n}") for n in range(10)]), two.submit([job(f"b{n}") for n in range(10)])
        )
        ends = await asyncio.gather(one.wait(halves[1]), two.wait(halves[0]))
    assert {receipt.state for end in ends for receipt in end} == {State.CONFIRMED}
    assert taken(sandbox) == dict.fromkeys(("ann", "bob", "cid", "dot"), CAP)
    assert (one.pipeline.assigner.tally.assigned, two.pipeline.assigner.tally.assigned) == (12, 0)
    status = await two.status()
    assert (status.leads, status.leader) == (False, "one")
    assert (await one.status()).leads


async def test_a_job_accepted_by_another_is_decided_at_once(opened: Opened) -> None:
    """By a hint, not at the next look a second later; and so is its outcome known."""
    _, two = await pair(opened)
    await two.wait(await two.submit([job("first")]))
    await until(lambda: store(two).cluster.peers)
    times = []
    for n in range(5):
        began = time.monotonic()
        (receipt,) = await two.wait(await two.submit([job(f"k{n}")]), timeout_s=20)
        times.append(time.monotonic() - began)
        assert receipt.state is State.CONFIRMED
    assert sorted(times)[2] < 0.6, times


async def test_the_next_leader_knows_what_the_last_one_has_decided(opened: Opened, sandbox: Sandbox) -> None:
    """Also what the server has not got yet, when the last one stops in the middle of everything."""
    one, two = await pair(opened)
    await one.wait(await one.submit([job(f"sent{n}") for n in range(5)]))
    sandbox.set_outage(seconds=60.0)
    await one.submit([job(f"kept{n}") for n in range(4)])
    await until(lambda: decided(two, 4))
    for task in (*one.pipeline._stages, beating(one)):
        task.cancel()
    await until(lambda: two.pipeline.lead.certain)
    sandbox.set_outage(down=False)
    receipts = await two.submit([job(f"new{n}") for n in range(10)])
    done = await two.wait(receipts, timeout_s=40)
    assert sum(receipt.worker is not None for receipt in done) == 4 * CAP - 9
    await until(lambda: len(sandbox.jobs) == 19, timeout_s=40)
    assert taken(sandbox) == dict.fromkeys(("ann", "bob", "cid", "dot"), CAP)


async def decided(d: Dispatcher, rows: int) -> bool:
    counts = await d.counts()
    return counts[State.ASSIGNED] + counts[State.SENDING] + counts[State.UNKNOWN] >= rows


async def test_nothing_that_a_leader_has_decided_is_written_once_another_leads(
    opened: Opened, sandbox: Sandbox
) -> None:
    """It stops between its decision and the write, for longer than its lease, and goes on."""
    one, two = await pair(opened)
    await one.wait(await one.submit([job("first")]))
    fleet, decide = one.pipeline.fleet, one.pipeline.fleet.decide
    stopped, go_on = asyncio.Event(), asyncio.Event()

    async def slow(jobs: Any) -> Any:
        found = await decide(jobs)
        stopped.set()
        await go_on.wait()
        return found

    fleet.decide = slow  # type: ignore[method-assign]
    receipts = await one.submit([job(f"k{n}") for n in range(6)])
    await stopped.wait()
    beating(one).cancel()
    number = store(one).node.id
    await until(lambda: two.pipeline.lead.certain)
    more = await two.submit([job(f"m{n}") for n in range(10)])
    done = await two.wait([*receipts, *more], timeout_s=20)
    go_on.set()
    fleet.decide = decide  # type: ignore[method-assign]
    await until(lambda: store(one).node.id != number)
    assert not one.pipeline.lead.held
    assert (await two.look([one_.seq for one_ in done])) == sorted(done, key=lambda one_: one_.seq)
    assert taken(sandbox) == dict.fromkeys(("ann", "bob", "cid", "dot"), CAP)


async def test_a_leader_that_is_replaced_before_its_edit_leaves_the_job_alone(opened: Opened, sandbox: Sandbox) -> None:
    """An edit at Hellotracks cannot be fenced: the lease is looked at right before it goes out."""
    one, _ = await pair(opened, reassign=True)
    (receipt,) = await one.wait(await one.submit([job("k")]))
    worker = receipt.worker
    assert worker
    turnstile, enter = one.pipeline.turnstile, one.pipeline.turnstile.enter
    node = store(one).node
    calls = Counter[str]()

    async def late() -> float:
        started = await enter()
        calls["entered"] += 1
        node._lives_until = time.monotonic() - 1
        return started

    look = one.pipeline.client.get_jobs

    async def looked(**wish: Any) -> Any:
        found = await look(**wish)
        turnstile.enter = late  # type: ignore[method-assign]
        return found

    one.pipeline.client.get_jobs = looked  # type: ignore[method-assign]
    await edit(sandbox, "k", tsRejected=now_ms())
    await until(lambda: calls["entered"])
    turnstile.enter = enter  # type: ignore[method-assign]
    one.pipeline.client.get_jobs = look  # type: ignore[method-assign]
    assert sandbox.jobs["k"]["worker"] == worker
    assert one.pipeline.reassigner.moved == 0


async def test_what_a_webhook_tells_another_is_read_by_the_leader(opened: Opened, sandbox: Sandbox) -> None:
    """Its day routes are read every five minutes, and now."""
    from dispatcher.pipeline.job_event import read_events  # noqa: PLC0415 - for this alone

    one, two = await pair(opened, fleet_sync_s=300.0, routes_sync_s=300.0)
    (receipt,) = await one.wait(await one.submit([job("k")]))
    await edit(sandbox, "k", day=NEXT_DAY)
    await until(lambda: store(two).cluster.peers)
    worker = receipt.worker or ""
    assert await route(one, worker) == ["k"]
    moved = sandbox.jobs["k"] | {"day": DAY}
    two.pipeline.events.put(read_events("jobupdated", str(moved["id"]), [moved]))

    async def gone() -> bool:
        return await route(one, worker) == []

    await until(gone)
    assert two.pipeline.events.tally["passed_on"] == 1


async def test_a_place_that_is_freed_at_another_is_free_at_the_leader(opened: Opened) -> None:
    one, two = await pair(opened, fleet_sync_s=300.0, routes_sync_s=300.0, fallback="hold")
    await one.wait(await one.submit([job("first")]))
    await until(lambda: store(two).cluster.peers)
    for d in (one, two):
        d.pipeline._stages[d.pipeline._parts.index(d.pipeline.sender)].cancel()
    await one.submit([job("k")])
    await until(lambda: decided(two, 1))
    receipt = await two.receipt("k")
    assert receipt is not None
    assert "k" in await route(one, receipt.worker or "")
    assert (await two.care.delete("k")).withdrawn

    async def gone() -> bool:
        return "k" not in await route(one, receipt.worker or "")

    await until(gone, timeout_s=30)


async def test_a_plan_at_another_sees_what_the_leader_has_decided(opened: Opened) -> None:
    one, two = await pair(opened)
    from dispatcher.model.job import read_job  # noqa: PLC0415 - for this alone

    asked = [read_job(job(f"p{n}")) for n in range(12)]
    await one.wait(await one.submit([job("k0")]))
    choice = await two.why("k0")
    assert choice is not None, "it has read the fleet for this"
    two.pipeline.fleet._loaded_at -= 60
    before = await two.plan(asked, timeout_s=20)
    assert sum(decision.worker is not None for decision in before) == 11
    await one.wait(await one.submit([job(f"k{n}") for n in range(5)]))
    two.pipeline.fleet._loaded_at -= 60
    after = await two.plan(asked, timeout_s=20)
    assert sum(decision.worker is not None for decision in after) == 7
    assert two.pipeline.assigner.tally.assigned == 0


async def test_a_leader_of_which_a_part_has_ended_leaves_the_lead_to_another(opened: Opened) -> None:
    """Such as by a key that was denied."""
    one, two = await pair(opened)
    await one.wait(await one.submit([job("first")]))
    one.pipeline._ended(await failed())
    await until(lambda: two.pipeline.lead.certain, timeout_s=10)
    assert not one.pipeline.lead.held
    (receipt,) = await two.wait(await two.submit([job("k")]), timeout_s=20)
    assert receipt.worker


async def failed() -> asyncio.Task[None]:
    async def fail() -> None:
        raise RuntimeError("a fault")

    task = asyncio.create_task(fail())
    await asyncio.wait({task})
    return task


async def test_without_an_engine_everybody_decides(opened: Opened, sandbox: Sandbox) -> None:
    one, two = await opened("one", policy="none"), await opened("two", policy="none")
    receipts = await asyncio.gather(*(d.submit([job(f"{n}-{m}") for m in range(5)]) for n, d in enumerate((one, two))))
    await asyncio.gather(one.wait(receipts[0]), two.wait(receipts[1]))
    assert (await one.status()).leads
    assert (await two.status()).leads
    assert (await two.status()).leader == ""
    assert taken(sandbox) == {}


async def test_a_leader_that_closes_is_followed_at_once(opened: Opened) -> None:
    one, two = await pair(opened)
    await until(lambda: store(two).cluster.peers)
    began = time.monotonic()
    await one.close()
    await until(lambda: two.pipeline.lead.certain)
    assert time.monotonic() - began < 2
    assert (await two.wait(await two.submit([job("k")]), timeout_s=20))[0].worker


async def test_the_one_that_decides_leaves_the_others_their_share_of_the_sending(
    opened: Opened, sandbox: Sandbox
) -> None:
    one, two = await pair(opened, max_batch_jobs=10, max_concurrency=2, policy="least_detour")
    await until(lambda: store(one).cluster.peers and store(two).cluster.peers)
    receipts = await one.submit([job(f"k{n}") for n in range(1000)])
    await one.wait(receipts, timeout_s=60)
    sent = [d.pipeline.sender.tally.jobs for d in (one, two)]
    assert sum(sent) == 1000
    assert min(sent) > 150, sent
    assert all(sandbox.created(f"k{n}") == 1 for n in range(1000))
