"""The nodes on a database are asked for once for all who look, and a database that is away holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from dispatcher.daemon import nodes as looking
from dispatcher.daemon.nodes import Nodes
from dispatcher.daemon.page.among import leader_document, nodes_document
from dispatcher.daemon.report import Rate
from dispatcher.errors import SpoolError
from dispatcher.spool import MemorySpool
from dispatcher.spool.roster import LeaderRecord, NodeRecord, Roster


def record(number: int, name: str, *, address: str = "", left_s: float = 5.0, **report: object) -> NodeRecord:
    """A node that lives."""
    return NodeRecord(
        *(number, name, "host", 7, "program 1", address, 2, 60.0, 5.0, left_s, None), in_order=False, report=report
    )


class Company(MemorySpool):
    """A spool that says it is shared, and whose database can be taken away."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.there = asyncio.Event()
        self.there.set()
        self.broken = ""
        self.told = Roster([record(1, "one"), record(2, "two")], [LeaderRecord("acme", 2, 4, 60.0)])

    @property
    def node_id(self) -> int:
        return 1

    @property
    def lease_runs(self) -> bool:
        return True

    @property
    def failures(self) -> int:
        return 0

    def introduce(self, *, program: str, address: str, report: Callable[[], str]) -> None:
        raise AssertionError("the nodes are only looked at")

    async def roster(self) -> Roster:
        self.asked += 1
        await self.there.wait()
        if self.broken:
            raise SpoolError(self.broken)
        return self.told


class Clock:
    """Set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def world() -> AsyncIterator[tuple[Company, Clock, Nodes]]:
    company, clock = Company(), Clock()
    nodes = Nodes(company, clock=clock)
    yield company, clock, nodes
    await nodes.close()


async def test_one_question_serves_all_who_look_within_a_second(world: tuple[Company, Clock, Nodes]) -> None:
    company, clock, nodes = world
    seen = await asyncio.gather(*(nodes.look() for _ in range(20)))
    assert company.asked == 1
    assert all(one.roster is company.told for one in seen)
    clock.now += 1.5
    await nodes.look()
    assert company.asked == 2


async def test_a_database_that_says_no_leaves_what_was_known_and_says_so(world: tuple[Company, Clock, Nodes]) -> None:
    company, clock, nodes = world
    await nodes.look()
    company.broken = "the database cannot be reached"
    clock.now += 7.0
    seen = await nodes.look()
    assert (seen.roster, seen.age_s, seen.problem) == (company.told, 7.0, "the database cannot be reached")
    company.broken = ""
    clock.now += 2.0
    assert (await nodes.look()).problem == ""


async def test_a_database_that_says_nothing_holds_nobody_up(
    world: tuple[Company, Clock, Nodes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it asked a second time while it thinks."""
    company, clock, nodes = world
    monkeypatch.setattr(looking, "PATIENCE_S", 0.05)
    company.there.clear()
    await nodes.look()
    clock.now += 30.0
    seen = await nodes.look()
    assert (seen.problem, company.asked) == ("the database does not answer", 1)
    company.there.set()
    clock.now += 1.0
    await nodes.look()
    assert nodes.seen().problem == ""


async def test_a_spool_of_ones_own_has_no_nodes() -> None:
    nodes = Nodes(MemorySpool())
    assert (await nodes.look()).roster.nodes == ()
    assert nodes_document(nodes) is None


async def test_the_page_is_told_who_leads_and_which_node_it_looks_at(world: tuple[Company, Clock, Nodes]) -> None:
    _, _, nodes = world
    seen = await nodes.look()
    document = nodes_document(nodes)
    assert document is not None
    assert [(row["name"], row["here"], row["leads"]) for row in document["rows"]] == [
        ("one", True, []),
        ("two", False, ["acme"]),
    ]
    assert leader_document(seen, "acme", me=2) == {"here": True, "name": "two", "address": ""}
    assert leader_document(seen, "acme", me=1) == {"here": False, "name": "two", "address": ""}
    assert leader_document(seen, "beta", me=1) == {"here": False, "name": "", "address": ""}
    assert leader_document(looking.Seen(Roster(), 0.0, ""), "acme", me=1) is None


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("http://north:8080", "http://north:8080"),
        ("https://[::1]:8080", "https://[::1]:8080"),
        ("javascript:alert(1)", ""),
        ("http://user:secret@north:8080", ""),
        ("http://[", ""),
        ("", ""),
    ],
)
async def test_a_link_leads_to_a_page_and_nothing_else(
    world: tuple[Company, Clock, Nodes], address: str, link: str
) -> None:
    """Whoever can write to the database has written it."""
    company, _, nodes = world
    company.told = Roster([record(3, "x", address=address)])
    await nodes.look()
    document = nodes_document(nodes)
    assert document is not None
    assert document["rows"][0]["address"] == link


async def test_what_many_nodes_and_accounts_say_stays_small(world: tuple[Company, Clock, Nodes]) -> None:
    company, _, nodes = world
    many = [record(number, f"n{number}", accounts={"a": {"problem": "x" * 100}}) for number in range(500)]
    company.told = Roster(many, [LeaderRecord(f"account-{n}", 0, 1, 1.0) for n in range(5000)])
    await nodes.look()
    document = nodes_document(nodes)
    assert document is not None
    assert (len(document["rows"]), document["more"]) == (50, 450)
    assert len(document["rows"][0]["leads"]) + document["rows"][0]["leads_more"] == 5000
    assert len(orjson.dumps(document)) < 50_000


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(0.0, 0) == 0.0
    assert rate.at(1.0, 100) == 100.0
    assert [rate.at(float(second), 100) for second in range(2, 9)][-1] == 0.0
