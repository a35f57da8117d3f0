"""The sandbox as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from dispatcher.sandbox.server import Sandbox
from dispatcher.sandbox.settings import SandboxSettings


def run_sandbox(settings: SandboxSettings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then stop cleanly and return. Blocks; must run in the main thread.

    Args:
        settings: of the sandbox.
        on_ready: called once with the base URL as soon as requests are taken.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: a setting cannot be used.
    """
    asyncio.run(_serve(settings, on_ready))


async def _serve(settings: SandboxSettings, on_ready: Callable[[str], None]) -> None:
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, enough.set)
    async with Sandbox(settings) as sandbox:
        on_ready(sandbox.url)
        await enough.wait()
