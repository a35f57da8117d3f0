"""Building an engine of an account, and asking it, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dispatcher.pipeline import engine_work
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.nursery import Nursery

if TYPE_CHECKING:
    from engine import Engine, EngineSettings

T = TypeVar("T")

NOW_STEP_S = 5.0
"""the engine's clock moves in steps, so that a stream of small batches does not restart every day route"""
OCCUPY_JOBS = 5000
FEW_MEMBERS = 17
"""an engine with fewer needs no tree (twice its leaf size)"""


class EngineRoom:
    """Where engines of one account are built and at work, one call at a time.

    Args:
        account: its name.
        clock: source of time.
        settings: for each engine that is built.
    """

    def __init__(self, account: str, *, clock: Clock, settings: Callable[[], EngineSettings]) -> None:
        self.settings = settings
        self._clock = clock
        self._nursery = Nursery()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"engine-{account}")

    def stand_by(self) -> None:
        """Have at hand what takes seconds to load: this process may have to decide from one moment to the next."""
        self._nursery.stand_by()

    def close(self) -> None:
        """Wait for the call under way, and end."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._nursery.close()

    def now(self) -> float:
        """The engine's moment (Unix time)."""
        return self._clock.wall() // NOW_STEP_S * NOW_STEP_S

    async def run(self, call: Callable[[], T]) -> T:
        """Call in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def build(
        self,
        accounts: Sequence[Mapping[str, Any]],
        company: Mapping[str, Any] | None,
        routes: Sequence[Mapping[str, Any]] = (),
    ) -> Engine:
        """A new engine from what Hellotracks replies to `getaccounts`, `getcompany` and `getjobs`."""
        if len(accounts) >= FEW_MEMBERS:
            self._nursery.prepare()
        return await self.run(partial(self._build, accounts, company, routes))

    def _build(
        self,
        accounts: Sequence[Mapping[str, Any]],
        company: Mapping[str, Any] | None,
        routes: Sequence[Mapping[str, Any]],
    ) -> Engine:
        from engine import Engine  # noqa: PLC0415 - numba and scikit-learn load only when there is something to decide

        return Engine(
            accounts,
            routes=routes,
            company=company,
            settings=self.settings(),
            now=self.now(),
            planter=self._nursery,
        )

    async def occupy(self, engine: Engine, decided: Sequence[tuple[bytes, str | None]]) -> None:
        """Put jobs that were decided (body and member) into the day routes."""
        for first in range(0, len(decided), OCCUPY_JOBS):
            await self.run(partial(engine_work.occupy, engine, decided[first : first + OCCUPY_JOBS]))
