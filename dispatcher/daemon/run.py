"""The daemon as a process of its own: event loop, signals, and the end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable

from dispatcher.daemon.notify import Notifier
from dispatcher.daemon.server import Daemon
from dispatcher.daemon.watchdog import Watchdog
from dispatcher.settings import Settings

_log = logging.getLogger("dispatcher.daemon")

ENDED_AT_ONCE = 1
"""Exit status after a second signal."""


def run_daemon(settings: Settings, *, on_ready: Callable[[str, int], None]) -> None:
    """Serve until SIGTERM or SIGINT, then end within `shutdown_grace_s` and return. A second signal ends the process.

    Blocks; must run in the main thread. Uses uvloop when it is installed.

    Args:
        settings: account, spool, address and everything else.
        on_ready: called once with the base URL and the number of jobs that are looked up first.

    Raises:
        ConfigError: the address cannot be listened on, or only with a key.
        SpoolUnusable: the spool cannot be opened, for example because another process uses it.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Callable[[str, int], None]) -> None:
    stop = _stop_on_signal()
    notifier = Notifier()
    async with Daemon(settings) as daemon:
        on_ready(daemon.url, daemon.recovered)
        notifier.ready()
        watchdog = asyncio.create_task(Watchdog(notifier, daemon.desks).run(), name="watchdog")
        await stop.wait()
        notifier.stopping()
        watchdog.cancel()
        _log.info("stopping: requests under way may take %g s", settings.shutdown_grace_s)
        _end_by_force_after(settings.shutdown_grace_s)
    _log.info("stopped")


def _stop_on_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            _log.warning("ended at once; what was under way is looked up at the next start")
            os._exit(ENDED_AT_ONCE)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return stop


def _end_by_force_after(grace_s: float) -> None:
    """Should something hang (a compiler, a disk), the process still ends in time: whatever counts is on disk."""

    def end() -> None:
        _log.warning("not everything ended within %g s; what was under way is looked up at the next start", grace_s)
        os._exit(0)

    timer = threading.Timer(grace_s, end)
    timer.daemon = True
    timer.start()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
