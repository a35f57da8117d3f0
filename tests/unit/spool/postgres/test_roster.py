"""Who works on a database: what each node tells of itself, how it went, and who assigns for which account."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import orjson
import pytest

from dispatcher.spool import LentSpool, MemorySpool
from dispatcher.spool.postgres import PostgresSpool, PostgresView
from dispatcher.spool.roster import LeaderRecord, NodeRecord, NodeState, Roster, shared_of
from tests import postgres
from tests.unit.spool.postgres.conftest import Opened

LEASE_S = 1.0


async def until(spool: PostgresSpool, true: Callable[[Roster], object]) -> Roster:
    """Ask until the roster is like that."""
    async with asyncio.timeout(20):
        while not true(roster := await spool.roster()):  # noqa: ASYNC110 - there is nothing to be woken by
            await asyncio.sleep(0.02)
    return roster


def states(roster: Roster) -> dict[str, NodeState]:
    return {node.name: node.state for node in roster.nodes}


def introduced(spool: PostgresSpool, **report: object) -> PostgresSpool:
    """A spool that says what it is."""
    spool.introduce(
        program="program 1.2", address="http://north:8080", report=lambda: orjson.dumps(report or {"a": 1}).decode()
    )
    return spool


async def test_a_node_tells_of_itself_at_every_beat(node: Opened) -> None:
    """Also what is known only after it has joined; each beat tells the report anew."""
    beats = iter(range(1000))
    one, two = await node("one", lease_s=LEASE_S), await node("two", lease_s=LEASE_S)
    two.introduce(program="program 1.2", address="http://two:1", report=lambda: f'{{"n": {next(beats)}}}')
    roster = await until(one, lambda found: found.nodes[1].report.get("n", 0) >= 3)
    told = roster.nodes[1]
    assert (told.id, told.name, told.pid) == (two.node_id, "two", os.getpid())
    assert (told.program, told.address, told.state) == ("program 1.2", "http://two:1", NodeState.ALIVE)
    assert told.since_s is None
    assert 0 < told.up_s < 20
    assert (roster.nodes[0].program, roster.nodes[0].report) == ("", {})


async def test_a_node_that_stops_beating_is_silent_and_then_ended(node: Opened) -> None:
    """And comes back under its name as one row."""
    one = await node("one", lease_s=LEASE_S)
    two = introduced(await node("two", lease_s=LEASE_S))
    two.abandon()
    roster = await until(one, lambda found: states(found)["two"] is NodeState.SILENT)
    silent_s = roster.nodes[1].since_s
    assert silent_s is not None
    assert 0.4 * LEASE_S <= silent_s < LEASE_S
    roster = await until(one, lambda found: states(found)["two"] is NodeState.ENDED)
    assert [found.name for found in roster.living] == ["one"]
    ended_s = roster.nodes[1].since_s
    assert ended_s is not None
    assert 0 <= ended_s < 5
    await node("two", lease_s=LEASE_S)
    assert states(await one.roster()) == {"one": NodeState.ALIVE, "two": NodeState.ALIVE}


async def test_a_daemon_that_leaves_is_remembered_and_a_command_is_not(node: Opened) -> None:
    one = await node("one", lease_s=5.0)  # a busy machine must not make it silent
    daemon, command = introduced(await node("daemon", lease_s=LEASE_S)), await node("command", lease_s=LEASE_S)
    await until(one, lambda found: any(told.address for told in found.nodes))
    await daemon.close()
    await command.close()
    assert states(await one.roster()) == {"one": NodeState.ALIVE, "daemon": NodeState.LEFT}
    await asyncio.sleep(1.5)  # a beat of the other one ends it, which changes nothing
    assert states(await one.roster()) == {"one": NodeState.ALIVE, "daemon": NodeState.LEFT}


async def test_an_account_is_led_by_the_node_in_its_row_for_as_long_as_that_lives(dsn: str, node: Opened) -> None:
    one = await node("one", lease_s=LEASE_S)
    two = introduced(await node("two", lease_s=LEASE_S), stands=["acme", "beta"])
    await postgres.execute(
        dsn,
        f"INSERT INTO dispatcher.leaders (account, node, term) VALUES ('acme', {two.node_id}, 3), ('gone', 0, 1) "
        "ON CONFLICT (account) DO UPDATE SET node = excluded.node, term = excluded.term",
    )
    roster = await until(one, lambda found: found.nodes[1].report)
    assert roster.led["acme"][0].term == 3
    assert roster.led["acme"][1].name == "two"
    assert [leader.account for leader in roster.leads[two.node_id]] == ["acme"]
    assert roster.leaderless == ["beta"]


async def test_a_view_from_outside_says_the_same(dsn: str, node: Opened) -> None:
    introduced(await node("one", lease_s=LEASE_S))

    def look() -> Roster:
        with PostgresView(dsn) as view:
            return view.roster()

    async with asyncio.timeout(10):
        while not (roster := await asyncio.to_thread(look)).nodes[0].report:  # noqa: ASYNC110 - looks from outside
            await asyncio.sleep(0.02)
    assert states(roster) == {"one": NodeState.ALIVE}


@pytest.fixture
def dead_leader() -> Roster:
    """One that was killed and led; another one that would lead."""
    old = NodeRecord(1, "old", "h", 1, "p", "", 2, 9.0, 5.0, None, 3.0, in_order=False, report={})
    new = NodeRecord(2, "new", "h", 2, "p", "", 2, 9.0, 5.0, 4.5, None, in_order=False, report={"stands": ["acme"]})
    return Roster([new, old], [LeaderRecord("acme", 1, 1, 100.0)])


def test_a_leader_that_has_gone_leads_nothing(dead_leader: Roster) -> None:
    assert (dead_leader.led, dead_leader.leads, dead_leader.leaderless) == ({}, {}, ["acme"])


def test_only_a_spool_that_is_shared_has_a_roster(dsn: str) -> None:
    spool = PostgresSpool(dsn)
    assert shared_of(LentSpool(spool, account="acme")) is spool
    assert shared_of(MemorySpool()) is None
