"""Spares a long-lived process the long pauses of Python's garbage collector.

A full collection looks at every object that lives, and a fleet of 10 000 members with its engine is a few hundred
thousand of them: a pause of some 200 ms every few seconds, for every request that waits. What has come to stay is
therefore set aside (`gc.freeze`), so that a collection only looks at what came after it. That is done anew when an
account gets another engine, and then what the old one left behind goes too.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping

from dispatcher.daemon.desk import Desk
from dispatcher.errors import DispatcherError

LOOK_S = 2.0
YOUNG_OBJECTS = 10_000
"""Objects that come before the youngest are looked at: about a second's requests instead of a few milliseconds'."""


class Heap:
    """The loop.

    Args:
        desks: accounts by name; their engines are what is large.
        look_s: between two looks at whether there are other engines.

    Attributes:
        settled: how many times what lives was set aside.
    """

    def __init__(self, desks: Mapping[str, Desk], *, look_s: float = LOOK_S) -> None:
        self.settled = 0
        self._desks = desks
        self._look_s = look_s

    async def run(self) -> None:
        """Until cancelled; then the collector is as it was."""
        thresholds = gc.get_threshold()
        gc.set_threshold(YOUNG_OBJECTS, *thresholds[1:])
        seen = self._engines()
        self._settle()
        try:
            while True:
                await asyncio.sleep(self._look_s)
                engines = self._engines()
                if engines != seen:
                    seen = engines
                    self._settle()
        finally:
            gc.unfreeze()
            gc.set_threshold(*thresholds)

    def _engines(self) -> dict[str, int]:
        found = {}
        for name, desk in self._desks.items():
            try:
                found[name] = id(desk.dispatcher.pipeline.fleet.engine)
            except DispatcherError:  # it is being closed
                continue
        return found

    def _settle(self) -> None:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self.settled += 1
