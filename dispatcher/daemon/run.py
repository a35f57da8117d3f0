"""The daemon as a process of its own: event loop, signals, and the end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from dispatcher.daemon.heap import Heap
from dispatcher.daemon.notify import Notifier
from dispatcher.daemon.reload import Reloading
from dispatcher.daemon.server import Daemon
from dispatcher.daemon.watchdog import Watchdog
from dispatcher.settings import Configuration

_log = logging.getLogger("dispatcher.daemon")

SWITCH_S = 0.0002
"""How long a thread may keep the interpreter while another wants it (Python's own: 5 ms). The spool's writer needs it
for moments only, several times a commit, and everybody whose jobs are in that commit waits with it."""
ENDED_AT_ONCE = 1
"""Exit status after a second signal."""


def run_daemon(read: Callable[[], Configuration], *, on_ready: Callable[[str, int], None]) -> None:
    """Serve until SIGTERM or SIGINT, then end within `shutdown_grace_s` and return. A second signal ends the process.

    SIGHUP reads the configuration anew.

    Blocks; must run in the main thread. Uses uvloop when it is installed.

    Args:
        read: reads the configuration from all its sources; called now and at each SIGHUP, then in another thread.
        on_ready: called once with the base URL and the number of jobs that are looked up first.

    Raises:
        ConfigError: the configuration cannot be used; the address cannot be listened on, or only with a key.
        SpoolUnusable: the spool cannot be opened, for example because another process uses it.
    """
    configuration = read()
    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(configuration, read, on_ready))


async def _serve(
    configuration: Configuration, read: Callable[[], Configuration], on_ready: Callable[[str, int], None]
) -> None:
    stop, again = _on_signals()
    grace_s = configuration.process.shutdown_grace_s
    notifier = Notifier()
    async with Daemon(configuration) as daemon:
        on_ready(daemon.url, daemon.recovered)
        notifier.ready()
        reloading = Reloading(daemon, read, wanted=again, before=notifier.reloading, after=notifier.ready)
        loops = [
            asyncio.create_task(Watchdog(notifier, daemon.desks).run(), name="watchdog"),
            asyncio.create_task(reloading.run(), name="reload"),
            asyncio.create_task(Heap(daemon.desks).run(), name="heap"),
        ]
        await stop.wait()
        notifier.stopping()
        _log.info("stopping: requests under way may take %g s", grace_s)
        _end_by_force_after(grace_s)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    _log.info("stopped")


def _on_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """One event for the end, one for reading the configuration anew."""
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            _log.warning("ended at once; what was under way is looked up at the next start")
            os._exit(ENDED_AT_ONCE)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    return stop, again


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
