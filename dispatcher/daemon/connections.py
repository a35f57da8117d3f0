"""Clients' connections: how many there may be, and an end to those that only take room."""

from __future__ import annotations

import asyncio
import resource
import time

from aiohttp import web

SILENT_S = 30.0
"""A connection must have brought its first request by then, and have taken an answer."""
IDLE_S = 300.0
"""So long it may stay open from one answer to the next whole request."""
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

    When there are as many as there may be, one goes for each new one: the longest silent of those that never asked
    anything, else the longest idle of those that did, never one at work. What counts is whole requests: one whose bytes
    come in drops is none yet.

    Args:
        most: connections at most.
        silent_s: how long a new one may be silent, and how long an answer may go untaken.
        idle_s: how long one that has asked may be idle.
    """

    def __init__(self, *, most: int, silent_s: float = SILENT_S, idle_s: float = IDLE_S) -> None:
        self._server: web.Server | None = None
        self._most = most
        self._silent_s = silent_s
        self._idle_s = idle_s
        self._silent: dict[web.RequestHandler, float] = {}
        self._idle: dict[web.RequestHandler, float] = {}

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
        """A request came on it: it is at work."""
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)

    def answered(self, connection: web.RequestHandler) -> None:
        """The request has its answer: the connection is idle."""
        self._idle[connection] = time.monotonic()

    async def run(self) -> None:
        """Close what only takes room; loop until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            for waiting, patience_s in ((self._silent, self._silent_s), (self._idle, self._idle_s)):
                for connection, since in tuple(waiting.items()):
                    if now - since > self._patience_s(connection, patience_s):
                        del waiting[connection]
                        _abort(connection)

    def _patience_s(self, connection: web.RequestHandler, usual_s: float) -> float:
        transport = connection.transport
        if transport is None:  # closed, or not connected quite yet
            return SWEEP_S
        return min(usual_s, self._silent_s) if _untaken(transport) else usual_s

    def _make_room(self, newest: web.RequestHandler) -> None:
        for waiting in (self._silent, self._idle):
            while waiting:
                oldest = next(iter(waiting))
                del waiting[oldest]
                if oldest.transport is not None:
                    _abort(oldest)
                    return
        # all are at work: the new one has to go, as soon as it has a transport to close
        asyncio.get_running_loop().call_later(0.0, asyncio.get_running_loop().call_soon, _abort, newest)


def _untaken(transport: asyncio.Transport) -> bool:
    """Whether a part of an answer still waits for its reader."""
    return not transport.is_closing() and transport.get_write_buffer_size() > 0


def _abort(connection: web.RequestHandler) -> None:
    if connection.transport is not None:
        connection.transport.abort()
