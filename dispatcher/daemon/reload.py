"""SIGHUP: the configuration is read anew and taken over as far as that is possible while the daemon runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from dispatcher.daemon.revision import Revision
from dispatcher.errors import DispatcherError
from dispatcher.settings import Configuration

_log = logging.getLogger("dispatcher.daemon")


class Changeable(Protocol):
    """What is told of a new configuration; a `Daemon`."""

    async def change(self, configuration: Configuration) -> Revision:
        """Take it over.

        Raises:
            ConfigError: it cannot be used; nothing changes.
        """
        ...


class Reloading:
    """Waits for wishes and carries them out one after the other.

    Args:
        daemon: open.
        read: reads the configuration from all its sources.
        wanted: set to have it read; wishes that come while one is carried out are one more.
        before, after: called around each try, for whoever tells the service manager.
    """

    def __init__(
        self,
        daemon: Changeable,
        read: Callable[[], Configuration],
        *,
        wanted: asyncio.Event,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        self._daemon = daemon
        self._read = read
        self._before = before
        self._after = after
        self._wanted = wanted

    async def run(self) -> None:
        """Loop until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._before()
            try:
                await self._once()
            except DispatcherError as error:
                _log.error("the settings were read anew and nothing was changed: %s", error)
            except Exception:  # noqa: BLE001 - jobs go on under the settings that hold
                _log.exception("the settings could not be taken over")
            finally:
                self._after()

    async def _once(self) -> None:
        revision = await self._daemon.change(await asyncio.to_thread(self._read))
        for line in revision.lines() or ["nothing changed"]:
            _log.info("the settings were read anew: %s", line)
        for line in revision.warnings():
            _log.warning("the settings were read anew: %s", line)
