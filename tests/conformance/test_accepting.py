"""The port: storing jobs, and giving each key one row. For every adapter."""

from __future__ import annotations

import asyncio

from dispatcher.model.state import State
from dispatcher.spool import Spool
from tests.conformance.stored import NONE, claimed, store
from tests.conformance.world import job, jobs


async def test_answers_come_in_the_order_of_the_jobs_and_rows_rise(spool: Spool) -> None:
    answers = await spool.accept("acme", jobs("cab"), now=100.0)
    assert [(a.version, a.state, a.fresh) for a in answers] == [(1, State.ACCEPTED, True)] * 3
    assert answers[0].seq < answers[1].seq < answers[2].seq


async def test_nothing_to_accept_is_nothing_done(spool: Spool) -> None:
    assert await spool.accept("acme", [], now=100.0) == []
    assert await spool.counts("acme") == NONE


async def test_the_same_key_and_content_is_the_same_row(spool: Spool) -> None:
    """A repeated accept stores nothing and tells the row's state right now."""
    (seq,) = await store(spool, "a", to=State.CONFIRMED)
    (again,) = await spool.accept("acme", [job("a")], now=300.0)
    assert (again.seq, again.version, again.state, again.fresh) == (seq, 1, State.CONFIRMED, False)
    assert sum((await spool.counts("acme")).values()) == 1


async def test_new_content_is_the_next_version_and_old_content_after_it_is_one_more(spool: Spool) -> None:
    """Only the newest version is compared: going back to the first content is a new version too."""
    versions = [(await spool.accept("acme", [job("a", content)], now=1.0))[0].version for content in "xyxx"]
    assert versions == [1, 2, 3, 3]


async def test_a_key_that_stands_twice_in_one_call_is_handled_in_order(spool: Spool) -> None:
    answers = await spool.accept("acme", [job("a", c) for c in "xxyx"], now=1.0)
    assert [(a.version, a.fresh) for a in answers] == [(1, True), (1, False), (2, True), (3, True)]
    assert answers[0].seq == answers[1].seq


async def test_a_call_may_mix_new_known_and_newer_jobs(spool: Spool) -> None:
    await store(spool, "a", "b")
    answers = await spool.accept("acme", [job("b"), job("c"), job("a", "new"), job("c")], now=1.0)
    assert [(a.version, a.fresh) for a in answers] == [(1, False), (1, True), (2, True), (1, False)]


async def test_accounts_do_not_see_each_other(spool: Spool) -> None:
    await store(spool, "a", account="one")
    (answer,) = await spool.accept("two", [job("a")], now=1.0)
    assert answer.fresh
    assert await claimed(spool, account="one") == ["a"]
    assert await spool.receipt("three", "a") is None
    assert await spool.counts("three") == NONE
    assert await spool.bodies("one", [answer.seq]) == {}
    assert await spool.receipts("one", seqs=[answer.seq]) == []


async def test_callers_at_the_same_time_get_one_row_per_key(spool: Spool) -> None:
    answers = await asyncio.gather(*(spool.accept("acme", jobs("ab"), now=1.0) for _ in range(50)))
    assert sum(one.fresh for answer in answers for one in answer) == 2
    assert len({one.seq for answer in answers for one in answer}) == 2


async def test_thousands_of_jobs_in_one_call_are_stored_in_order(spool: Spool) -> None:
    keys = [f"k{number}" for number in range(3777)]
    seqs = await store(spool, *keys)
    assert seqs == sorted(seqs)
    assert await claimed(spool, limit=5000) == keys


async def test_text_of_any_script_and_bodies_of_any_size_come_back_as_they_were(spool: Spool) -> None:
    given = [job("ключ-✓-🛵", "Straße"), job("a'\"\\;--", "x" * 300_000), job(" b\t", "")]
    await spool.accept("acme", given, now=1.0)
    taken = await spool.claim("acme", limit=10, now=1.0)
    assert [(one.key, one.body) for one in taken] == [(one.key, one.body) for one in given]
