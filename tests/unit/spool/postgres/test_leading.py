"""One node leads each account, for as long as it lives; the next one begins another term."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from dispatcher.model.state import State
from dispatcher.spool import About, Hint
from dispatcher.spool.postgres import PostgresSpool
from dispatcher.spool.postgres.leading import _settled, _turn
from dispatcher.spool.postgres.statements import SQL
from tests import postgres
from tests.conformance.world import jobs, path
from tests.unit.spool.postgres.conftest import Opened

LEASE_S = 0.6


async def until(true: Callable[[], object], *, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110 - a test looks now and then
            await asyncio.sleep(0.01)


async def knows(spool: PostgresSpool, *accounts: str) -> None:
    """Wait until a node knows who leads these accounts."""
    await until(lambda: all(spool.cluster.leader(account) for account in accounts))


def leading(spools: list[PostgresSpool], account: str) -> list[PostgresSpool]:
    return [spool for spool in spools if spool.cluster.leads(account)]


async def test_of_many_that_stand_at_once_one_leads(node: Opened) -> None:
    """Thirty accounts and eight nodes, all at the same time; and everybody knows who."""
    spools = [await node(f"n{number}", lease_s=5.0) for number in range(8)]
    accounts = [f"a{number}" for number in range(30)]
    for account in accounts:
        for spool in spools:
            spool.cluster.stand(account, at_once=True)
    await until(lambda: all(spool.cluster.leader(account) for spool in spools for account in accounts))
    for account in accounts:
        (leader,) = leading(spools, account)
        assert leader.cluster.term(account) == 1
        assert {spool.cluster.leader(account) for spool in spools} == {leader.node.name}


async def test_nobody_takes_over_from_a_leader_that_lives(node: Opened, dsn: str) -> None:
    one, two = await node("one", lease_s=LEASE_S), await node("two", lease_s=LEASE_S)
    one.cluster.stand("acme", at_once=True)
    await until(lambda: one.cluster.leads("acme"))
    two.cluster.stand("acme", at_once=True)
    await until(lambda: two.cluster.leader("acme") == "one")
    await asyncio.sleep(3 * LEASE_S)
    assert (one.cluster.term("acme"), two.cluster.term("acme")) == (1, 0)
    assert await postgres.fetch(dsn, "SELECT account, node, term FROM dispatcher.leaders") == [("acme", one.node.id, 1)]


async def test_a_leader_that_died_is_followed_once_its_lease_has_run_out_and_not_before(node: Opened) -> None:
    one, two = await node("one", lease_s=LEASE_S), await node("two", lease_s=LEASE_S)
    one.cluster.stand("acme", at_once=True)
    await until(lambda: one.cluster.leads("acme"))
    two.cluster.stand("acme", at_once=True)
    await asyncio.sleep(2 * LEASE_S)
    one.abandon()
    died = time.monotonic()
    await until(lambda: two.cluster.leads("acme"))
    assert two.cluster.term("acme") == 2
    assert time.monotonic() - died > LEASE_S * 0.7
    assert time.monotonic() - died < 3 * LEASE_S


@pytest.mark.parametrize("account", ["acme", "beta", "gamma", "delta"])
async def test_a_node_that_has_just_started_lets_those_lead_that_have_long_been_there(
    node: Opened, dsn: str, account: str
) -> None:
    """Its engine is not loaded yet. It tells them that the leader, its own last life, has gone; they need not wait."""
    one, two = await node("one", lease_s=5.0), await node("two", lease_s=5.0)
    for spool in (one, two):
        spool.cluster.stand(account, at_once=spool is one)
        await until(lambda: one.cluster.leads(account))
    await postgres.execute(dsn, "UPDATE dispatcher.nodes SET started_at = now() - interval '1 minute'")
    await knows(two, account)
    one.abandon()
    again = await node("one", lease_s=5.0)
    began = time.monotonic()
    again.cluster.stand(account, at_once=True)
    await until(lambda: two.cluster.leads(account))
    assert time.monotonic() - began < 0.8, "the hint came, not the next beat"
    await knows(again, account)
    assert not again.cluster.leads(account)


@pytest.mark.parametrize("stopped", ["in COPY", "between statements"])
async def test_a_leader_that_stopped_in_the_middle_of_a_write_is_followed_all_the_same(
    node: Opened, dsn: str, stopped: str
) -> None:
    """It holds its row, and the server waits for it: no lease may last for as long as a process sleeps."""
    one, two = await node("one", lease_s=LEASE_S), await node("two", lease_s=LEASE_S)
    one.cluster.stand("acme", at_once=True)
    await until(lambda: one.cluster.leads("acme"))
    two.cluster.stand("acme", at_once=True)
    await asyncio.sleep(2 * LEASE_S)
    one.abandon()
    session = await asyncpg.connect(dsn)
    await session.execute("BEGIN")
    assert await session.fetchval(SQL["fence"], one.node.id, 99, LEASE_S) == one.node.id
    asleep = asyncio.create_task(sleep_in(session, stopped))
    try:
        await until(lambda: two.cluster.leads("acme"))
    finally:
        asleep.cancel()
        await asyncio.gather(asleep, return_exceptions=True)
        session.terminate()


async def sleep_in(session: Any, stopped: str) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    if stopped == "in COPY":
        await session.copy_to_table("accounts", source=nothing(), columns=("name",), schema_name="dispatcher")
    await asyncio.Event().wait()


async def test_a_node_that_was_ended_leads_no_more_before_it_has_taken_a_new_term(node: Opened, dsn: str) -> None:
    """Its claims are not its own, and its lead is not, although nobody else stood for it."""
    one = await node("one", lease_s=LEASE_S)
    one.cluster.stand("acme", at_once=True)
    await until(lambda: one.cluster.leads("acme"))
    (row,) = await one.accept("acme", jobs("a"), now=1.0)
    assert len(await one.claim("acme", limit=1, now=2.0)) == 1
    terms: list[int] = []
    one.cluster.watch(lambda account: terms.append(one.cluster.term(account)))
    await postgres.execute(dsn, "UPDATE dispatcher.nodes SET ended_at = now()")
    assert await one.apply(path([row.seq], State.ASSIGNED), now=3.0) == [row.seq]
    assert one.cluster.term("acme") == 0, "it has another number"
    await until(lambda: one.cluster.leads("acme"))
    assert (terms, one.cluster.term("acme")) == ([2], 2)


async def test_a_leader_whose_database_is_away_is_not_sure_of_it_any_more(node: Opened, dsn: str) -> None:
    """By its own clock, before anybody else can have taken over; the term goes on when nobody has."""
    one = await node("one", lease_s=LEASE_S)
    one.cluster.stand("acme", at_once=True)
    await until(lambda: one.cluster.leads("acme"))
    name = dsn.partition("?")[0].rpartition("/")[2]
    away = f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"
    await postgres.execute(postgres.admin_dsn(), away, _cut(name))
    try:
        await until(lambda: not one.cluster.leads("acme"))
        assert one.cluster.term("acme") == 1
    finally:
        await postgres.execute(postgres.admin_dsn(), away.replace("false", "true"))
    await until(lambda: one.cluster.leads("acme"))
    assert one.cluster.term("acme") == 1


def _cut(name: str) -> str:
    return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"


async def test_who_resigns_is_followed_at_once_by_another(node: Opened) -> None:
    """By a hint, not by the next beat; and not by itself, whoever's turn it would be."""
    spools = [await node(name, lease_s=60.0) for name in ("one", "two", "three")]
    accounts = [f"a{number}" for number in range(20)]
    for spool in spools:
        for account in accounts:
            spool.cluster.stand(account, at_once=True)
        await knows(spool, *accounts)
        await until(lambda: spool._hints._connection)  # noqa: B023 - called at once
    one = spools[0]
    assert all(one.cluster.leads(account) for account in accounts), "it was there first"
    began = time.monotonic()
    await asyncio.gather(*map(one.cluster.withdraw, accounts))
    assert not any(one.cluster.term(account) for account in accounts)
    await until(lambda: all(leading(spools, account) for account in accounts))
    assert time.monotonic() - began < 5
    shares = Counter(leader.node.name for account in accounts for leader in leading(spools, account))
    assert sum(shares.values()) == 20
    assert set(shares) == {"two", "three"}, shares


async def test_who_resigned_takes_an_account_back_at_once_that_nobody_else_wants(node: Opened) -> None:
    """As after a reload that takes an account out, and one that brings it back."""
    one = await node("one", lease_s=60.0)
    for _ in range(2):
        one.cluster.stand("acme", at_once=True)
        await until(lambda: one.cluster.leads("acme"), timeout_s=5)
        await one.cluster.withdraw("acme")
        assert not one.cluster.leads("acme")


async def test_the_accounts_of_a_node_that_leaves_in_order_are_taken_at_once(node: Opened) -> None:
    one, two = await node("one", lease_s=60.0), await node("two", lease_s=60.0)
    one.cluster.stand("acme", at_once=True)
    await until(lambda: one.cluster.leads("acme"))
    two.cluster.stand("acme", at_once=True)
    await until(lambda: two.cluster.leader("acme") == "one")
    await until(lambda: two._hints._connection)
    await one.close()
    await until(lambda: two.cluster.leads("acme"), timeout_s=5)


async def test_an_account_whose_turn_takers_do_not_come_is_anybodys(node: Opened) -> None:
    """The others live, but none of them stands for it."""
    spools = [await node(f"n{number}", lease_s=LEASE_S) for number in range(4)]
    await asyncio.sleep(LEASE_S)
    accounts = [f"a{number}" for number in range(8)]
    for account in accounts:
        spools[0].cluster.stand(account, at_once=False)
    await until(lambda: all(spools[0].cluster.leads(account) for account in accounts))


async def test_a_lead_that_could_not_be_given_back_is_given_back_later(node: Opened, dsn: str) -> None:
    one, two = await node("one", lease_s=LEASE_S), await node("two", lease_s=LEASE_S)
    for spool in (one, two):
        spool.cluster.stand("acme", at_once=True)
        await knows(spool, "acme")
    assert one.cluster.leads("acme")
    name = dsn.partition("?")[0].rpartition("/")[2]
    away = f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"
    await postgres.execute(postgres.admin_dsn(), away, _cut(name))
    try:
        await one.cluster.withdraw("acme")
    finally:
        await postgres.execute(postgres.admin_dsn(), away.replace("false", "true"))
    await until(lambda: two.cluster.leads("acme"))
    assert one.node.lives


def test_accounts_of_a_node_that_has_gone_spread_over_all_that_are_left() -> None:
    """And nobody else's account moves."""
    accounts = [f"account-{number}" for number in range(3000)]
    nodes = {1: "north", 2: "east", 3: "south"}
    before = {account: _turn(account, nodes) for account in accounts}
    assert all(900 < share < 1100 for share in Counter(before.values()).values())
    without = {account: _turn(account, {1: "north", 3: "south"}) for account in accounts}
    assert all(without[account] == number for account, number in before.items() if number != 2)
    moved = Counter(without[account] for account, number in before.items() if number == 2)
    assert set(moved) == {1, 3}
    assert min(moved.values()) > 400


@pytest.mark.parametrize(
    ("ages", "settled"),
    [
        ((0.1,), "a"),
        ((1.0, 0.2, 4.0), "abc"),
        ((9.0, 8.0, 0.2), "ab"),
        ((3600.0, 16.0, 14.0), "ab"),
    ],
)
def test_those_that_have_just_started_are_passed_over_while_others_have_been_there_for_longer(
    ages: tuple[float, ...], settled: str
) -> None:
    """The oldest has resigned, and counts for nothing."""
    nodes = {0: ("gone", 7200.0)} | {
        number: (name, age) for number, (name, age) in enumerate(zip("abc", ages, strict=False), 1)
    }
    assert "".join(_settled(nodes, resigned=0).values()) == settled


async def test_hints_reach_the_other_nodes_and_not_the_own(node: Opened) -> None:
    one, two = await node("one", lease_s=LEASE_S), await node("two", lease_s=LEASE_S)
    heard: dict[str, list[Hint]] = {"one": [], "two": []}
    enqueued: list[str] = []
    one.cluster.hear(heard["one"].append)
    two.cluster.hear(heard["two"].append)
    two.watch(enqueued.append)
    await until(lambda: one.cluster.peers)
    async with asyncio.timeout(5):
        while not heard["two"]:
            one.cluster.tell(Hint("acme", About.ACCEPTED))
            await asyncio.sleep(0.01)
    heard["two"].clear()
    await asyncio.sleep(0.1)
    heard["two"].clear()
    for day in (20310106, 20310107, 20310106):
        one.cluster.tell(Hint("acme", About.REREAD, (day,)))
    one.cluster.tell(Hint("beta", About.REREAD, (20310106,)))
    one.cluster.tell(Hint("beta", About.REREAD))
    await until(lambda: len(heard["two"]) == 2)
    assert set(heard["two"]) == {
        Hint("acme", About.REREAD, (20310106, 20310107)),
        Hint("beta", About.REREAD),
    }
    assert heard["one"] == []
    assert enqueued == []


@pytest.mark.parametrize("name", ['{"node":1}', "acme", "[]"])
async def test_what_a_backend_notifies_is_the_name_of_an_account(node: Opened, dsn: str, name: str) -> None:
    """Also one that looks like one of our own words, but is none."""
    one = await node("one")
    enqueued: list[str] = []
    one.watch(enqueued.append)
    async with asyncio.timeout(5):
        while not enqueued:
            await postgres.fetch(dsn, "SELECT dispatcher.enqueue($1, '[{}]')", name)
            await asyncio.sleep(0.02)
    assert set(enqueued) == {name}


async def test_what_another_node_has_settled_is_known_by_asking(node: Opened) -> None:
    one, two = await node("one"), await node("two")
    rows = await one.accept("acme", jobs("abc"), now=1.0)
    seqs = [row.seq for row in rows]
    await one.apply(path(seqs[:1], State.CONFIRMED) + path(seqs[1:2], State.HELD), now=2.0)
    assert sorted(await two.cluster.through("acme", seqs)) == seqs[:2]
    assert await two.cluster.through("beta", seqs) == []
