"""A spool that is lent: the borrower may open and close it, the owner alone decides when it ends."""

from __future__ import annotations

import msgspec
import pytest

from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool import LentSpool, MemorySpool
from tests.conformance.world import jobs, path


@pytest.fixture
async def store() -> MemorySpool:
    spool = MemorySpool()
    await spool.open(now=0.0)
    return spool


async def states(store: MemorySpool, account: str) -> dict[str, State]:
    return {row.key: row.state for row in await store.receipts(account)}


async def test_closing_leaves_the_store_open_and_turns_what_was_cut_off_into_unknown(store: MemorySpool) -> None:
    """Its own rows only: what others send under the same account is theirs to settle."""
    lent, other = LentSpool(store, account="acme"), LentSpool(store, account="acme")
    assert await lent.open(now=1.0) == 0
    mine = [one.seq for one in await lent.accept("acme", jobs("abc"), now=1.0)]
    theirs = [one.seq for one in await other.accept("acme", jobs("d"), now=1.0)]
    await lent.apply(path(mine, State.SENDING), now=2.0)
    await other.apply(path(theirs, State.SENDING), now=2.0)
    await lent.apply([Change(seqs=mine[:1], to=State.CONFIRMED, expect=(State.SENDING,))], now=3.0)
    await lent.close()
    assert await states(store, "acme") == {
        "a": State.CONFIRMED,
        "b": State.UNKNOWN,
        "c": State.UNKNOWN,
        "d": State.SENDING,
    }
    again = LentSpool(store, account="acme")
    assert await again.open(now=4.0) == 2
    await again.close()
    await lent.close()
    assert (await states(store, "acme"))["d"] is State.SENDING


async def test_a_row_that_is_cut_off_keeps_the_time_from_which_a_look_up_is_final(store: MemorySpool) -> None:
    lent = LentSpool(store, account="acme")
    seqs = [one.seq for one in await lent.accept("acme", jobs("a"), now=1.0)]
    *before, last = path(seqs, State.SENDING)
    await lent.apply([*before, msgspec.structs.replace(last, settle_by=77.0)], now=2.0)
    await lent.close()
    (row,) = await store.receipts("acme")
    assert (row.state, row.settle_by, row.next_at) == (State.UNKNOWN, 77.0, 0.0)


async def test_a_store_that_cannot_write_does_not_keep_the_borrower_from_closing(store: MemorySpool) -> None:
    lent = LentSpool(store, account="acme")
    seqs = [one.seq for one in await lent.accept("acme", jobs("a"), now=1.0)]
    await lent.apply(path(seqs, State.SENDING), now=2.0)
    await store.close()
    await lent.close()
    assert await store.open(now=3.0) == 1
