"""The port: forgetting what has rested for long. For every adapter."""

from __future__ import annotations

from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.spool import Spool
from tests.conformance.stored import NONE, store
from tests.conformance.world import job, path


async def test_only_settled_rows_that_rested_long_enough_are_pruned_and_the_counters_follow(spool: Spool) -> None:
    """Rows rest since 110 here; the last row of all stays, so that no number is used twice."""
    for state in (State.CONFIRMED, State.REJECTED, State.DEAD):
        await store(spool, f"old-{state}", to=state)
    await store(spool, "waits", to=State.HELD)
    await store(spool, "other", account="beta", to=State.CONFIRMED)
    await store(spool, "last", to=State.CONFIRMED)
    assert await spool.prune(before=110.0) == 0
    assert await spool.prune(before=111.0, account="gamma") == 0
    assert await spool.prune(before=111.0, account="acme") == 3
    assert await spool.prune(before=111.0, account="acme") == 0
    assert await spool.counts("acme") == NONE | {State.HELD: 1, State.CONFIRMED: 1}
    assert await spool.prune(before=111.0) == 1
    assert await spool.counts("beta") == NONE
    assert [receipt.key for receipt in await spool.receipts("acme")] == ["waits", "last"]
    (again,) = await spool.accept("acme", [job("old-dead")], now=200.0)
    assert (again.fresh, again.version) == (True, 1)


async def test_pruning_goes_on_where_it_stopped_and_keeps_a_version_while_an_older_one_stays(spool: Spool) -> None:
    keys = [f"k{number}" for number in range(25)]
    await store(spool, *keys, to=State.CONFIRMED)
    (newer,) = await spool.accept("acme", [job("k3", "new")], now=112.0)
    (stays,) = await spool.accept("acme", [job("k4", "new")], now=112.0)
    await spool.apply(path([newer.seq, stays.seq], State.CONFIRMED), now=113.0)
    await store(spool, "end")
    assert [await spool.prune(before=112.0, limit=10) for _ in range(4)] == [10, 10, 5, 0]
    assert [receipt.key for receipt in await spool.receipts("acme", states=[State.CONFIRMED])] == ["k3", "k4"]
    (held,) = await store(spool, "k9", to=State.REJECTED)
    (after,) = await spool.accept("acme", [job("k9", "new")], now=120.0)
    await spool.apply(path([after.seq], State.CONFIRMED), now=121.0)
    await spool.apply([Change(seqs=[held], to=State.ACCEPTED, expect=(State.REJECTED,))], now=122.0)
    await store(spool, "the last")
    assert await spool.prune(before=500.0) == 2
    assert await spool.receipt("acme", "k9", version=2) is not None
