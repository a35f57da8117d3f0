"""Clients' connections: how many there may be, and an end to those that never ask for anything."""

from __future__ import annotations

import asyncio
import resource
import time

from aiohttp import web

SILENT_S = 30.0
"""A connection must have brought its first request by then."""
SWEEP_S = 1.0
RESERVED_FILES = 256
"""Descriptors kept for the spool, for Hellotracks and for whatever else the process opens."""
ENOUGH_FILES = 65_536


def raise_file_limit() -> int:
    """Lift the soft limit on open files as far as allowed; returns how many connections that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = ENOUGH_FILES if soft == resource.RLIM_INFINITY else soft
    return max(files // 2, files - RESERVED_FILES)


class Connections:
    """Makes the connections of a server.

    When there are as many as there may be, the one that has been silent longest goes for each new one.

    Args:
        most: connections at most.
        silent_s: how long a new one may be silent.
    """

    def __init__(self, *, most: int, silent_s: float = SILENT_S) -> None:
        self._server: web.Server | None = None
        self._most = most
        self._silent_s = silent_s
        self._silent: dict[web.RequestHandler, float] = {}

    def serve(self, server: web.Server) -> None:
        """Connections are of this server from now on."""
        self._server = server

    def __call__(self) -> web.RequestHandler:
        """The protocol for a new connection."""
        if self._server is None:
            raise RuntimeError("there is no server yet")
        connection = self._server()
        if self.count >= self._most:
            self._make_room(connection)
        self._silent[connection] = time.monotonic()
        return connection

    @property
    def count(self) -> int:
        """Open connections."""
        return len(self._server.connections) if self._server else 0

    def heard(self, connection: web.RequestHandler) -> None:
        """A request came on it."""
        self._silent.pop(connection, None)

    async def run(self) -> None:
        """Close what stays silent; loop until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            before = time.monotonic() - self._silent_s
            while self._silent:
                connection, since = next(iter(self._silent.items()))
                if since > before:
                    break
                del self._silent[connection]
                _abort(connection)

    def _make_room(self, newest: web.RequestHandler) -> None:
        while self._silent:
            oldest = next(iter(self._silent))
            del self._silent[oldest]
            if oldest.transport is not None:
                _abort(oldest)
                return
        # all are at work: the new one has to go, as soon as it has a transport to close
        asyncio.get_running_loop().call_later(0.0, asyncio.get_running_loop().call_soon, _abort, newest)


def _abort(connection: web.RequestHandler) -> None:
    if connection.transport is not None:
        connection.transport.abort()
