"""The port: how many rows an account may have. For every adapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import SpoolFull
from dispatcher.model.state import State
from tests.conformance.stored import store
from tests.conformance.world import ADAPTERS, jobs, make_world, path


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_full_spool_refuses_whole_calls_and_takes_more_when_rows_settle(adapter: str, tmp_path: Path) -> None:
    """A repeated job needs no room and is answered even then."""
    spool = make_world(adapter, tmp_path, max_rows=3).spool
    await spool.open(now=0.0)
    seqs = await store(spool, *"ab")
    with pytest.raises(SpoolFull, match="full") as full:
        await spool.accept("acme", jobs("acd"), now=1.0)
    assert full.value.retry_after_s > 0
    assert await spool.receipt("acme", "c") is None
    assert (await spool.accept("acme", jobs("ab"), now=1.0))[0].seq == seqs[0]
    assert (await spool.accept("acme", jobs("c"), now=1.0))[0].fresh
    await spool.apply(path(seqs, State.CONFIRMED), now=2.0)
    assert [a.fresh for a in await spool.accept("acme", jobs("de"), now=3.0)] == [True, True]
    await spool.close()


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_the_row_limit_counts_each_account_for_itself(adapter: str, tmp_path: Path) -> None:
    """Also after the store was opened anew, whatever moved meanwhile."""
    world = make_world(adapter, tmp_path, max_rows=2)
    await world.spool.open(now=0.0)
    seqs = await store(world.spool, *"ab")
    for _ in range(2):
        with pytest.raises(SpoolFull, match="3 unsettled jobs of acme would be more than 2"):
            await world.spool.accept("acme", jobs("c"), now=1.0)
        assert len(await world.spool.accept("other", jobs("xy"), now=1.0)) == 2
        with pytest.raises(SpoolFull, match="of other"):
            await world.spool.accept("other", jobs("z"), now=1.0)
        await world.spool.close()
        await world.spool.open(now=1.0)
    await world.spool.apply(path(seqs[:1], State.CONFIRMED), now=2.0)
    with pytest.raises(SpoolFull, match="of other"):
        await world.spool.accept("other", jobs("z"), now=3.0)
    assert len(await world.spool.accept("acme", jobs("c"), now=3.0)) == 1
    await world.spool.close()


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_account_may_have_a_row_limit_of_its_own(adapter: str, tmp_path: Path) -> None:
    """It can change while the spool is open; what is there already stays when it falls."""
    spool = make_world(adapter, tmp_path, max_rows=1).spool
    spool.limit_rows("large", 3)
    await spool.open(now=0.0)
    assert len(await spool.accept("large", jobs("abc"), now=1.0)) == 3
    with pytest.raises(SpoolFull, match="more than 3"):
        await spool.accept("large", jobs("d"), now=1.0)
    with pytest.raises(SpoolFull, match="more than 1"):
        await spool.accept("small", jobs("ab"), now=1.0)
    spool.limit_rows("large", 1)
    with pytest.raises(SpoolFull, match="more than 1"):
        await spool.accept("large", jobs("d"), now=1.0)
    assert (await spool.counts("large"))[State.ACCEPTED] == 3
    spool.limit_rows("large", 0)
    assert len(await spool.accept("large", jobs("def"), now=1.0)) == 3
    await spool.close()
