"""An event loop whose time stands still while anything is at work, and jumps to the next timer when nothing is.

Sockets, threads and files are real: only waiting is not. A day of timers takes as long as the work that it holds.
"""

from __future__ import annotations

import asyncio
import inspect
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, cast

PATIENCE_S = 0.002
"""real time in which what was sent over loopback arrives, when nobody is known to be at work"""
LONGEST_S = 5.0
"""real time that work in a thread may take before time goes on without it"""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock begins at 0.

    Attributes:
        at_work: how many calls outside of the loop (threads) are under way.
    """

    def __init__(self) -> None:
        self.at_work = 0
        self._virtual_s = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._virtual_s

    def jump(self, seconds: float) -> None:
        """Let time go on."""
        self._virtual_s += seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self.at_work += 1
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        self.at_work -= 1


class _Jumping(selectors.DefaultSelector):
    """Waits for sockets only as long as something may come of it."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if events or timeout is None or timeout <= 0:
            return events if events or timeout is not None else super().select(None)
        events = super().select(LONGEST_S if self._loop.at_work else PATIENCE_S)
        if not events:
            self._loop.jump(timeout)
        return events


class VirtualClock:
    """A dispatcher's clock that reads the loop's time.

    Args:
        loop: whose.
        start: Unix seconds at which the loop began.
    """

    def __init__(self, loop: VirtualLoop, start: float) -> None:
        self._loop = loop
        self._start = start

    def now(self) -> float:
        return self._start + self._loop.time()

    def wall(self) -> float:
        return self._start + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()


class Watched:
    """An object whose coroutine methods count as work while they run: a spool writes in a thread of its own."""

    def __init__(self, thing: object, loop: VirtualLoop) -> None:
        self._thing = thing
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._thing, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*args: Any, **named: Any) -> Any:
            self._loop.at_work += 1
            try:
                return await method(*args, **named)
            finally:
                self._loop.at_work -= 1

        return call


def virtual_loop() -> VirtualLoop:
    """The running loop."""
    return cast("VirtualLoop", asyncio.get_running_loop())
