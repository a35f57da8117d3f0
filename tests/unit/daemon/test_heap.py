"""The garbage collector is kept away from what has come to stay, and finds what an old engine leaves behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

from dispatcher.daemon.heap import YOUNG_OBJECTS, Heap


class Knot:
    """Something that only the collector can free."""

    def __init__(self) -> None:
        self.self = self


def desk(engine: object) -> Any:
    return SimpleNamespace(dispatcher=SimpleNamespace(pipeline=SimpleNamespace(fleet=SimpleNamespace(engine=engine))))


async def test_what_lives_is_set_aside_and_given_back_at_the_end() -> None:
    before = gc.get_threshold()
    heap = asyncio.create_task(Heap({"default": desk(None)}, look_s=0.01).run())
    await asyncio.sleep(0.05)
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[0] == YOUNG_OBJECTS
    heap.cancel()
    await asyncio.gather(heap, return_exceptions=True)
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


async def test_a_new_engine_is_set_aside_and_the_old_one_goes() -> None:
    """What was frozen with the old engine and is in a circle would never be freed otherwise."""
    desks = {"default": desk(Knot())}
    heap = Heap(desks, look_s=0.01)
    running = asyncio.create_task(heap.run())
    await asyncio.sleep(0.05)
    assert heap.settled == 1
    old = weakref.ref(desks["default"].dispatcher.pipeline.fleet.engine)
    desks["default"].dispatcher.pipeline.fleet.engine = Knot()
    await asyncio.sleep(0.5)
    assert (old(), heap.settled) == (None, 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
