"""Server-sent events to many readers: each has room for the latest event only, so a slow one costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import hdrs, web

from dispatcher.daemon.reply import SERVER, busy

MOST_READERS = 200
"""Open streams of one daemon."""
HEARTBEAT_S = 15.0
"""Something is written at least this often, so that a connection that is gone is found out."""
WRITE_S = 10.0
"""A reader that takes nothing for so long is dropped."""
CLOSE_S = 0.2
"""For the end of the streams when the daemon stops."""
RETRY_MS = 2000
"""When a browser comes back after a broken stream."""


class Reader:
    """One open stream.

    Attributes:
        behind: an event was lost, so the next one must tell everything.
    """

    __slots__ = ("_latest", "_ready", "_transport", "behind", "closed")

    def __init__(self, transport: asyncio.Transport | None = None) -> None:
        self._transport = transport
        self.behind = True  # it knows nothing yet
        self.closed = False
        self._latest: bytes | None = None
        self._ready = asyncio.Event()

    def offer(self, event: bytes) -> None:
        """A newer event takes the place of one that was not fetched."""
        if self._latest is not None:
            self.behind = True
        self._latest = event
        self._ready.set()

    def close(self) -> None:
        """No event comes any more."""
        self.closed = True
        self._ready.set()

    def drop(self) -> None:
        """End its connection at once, whatever it has not read."""
        if self._transport is not None:
            self._transport.abort()

    async def take(self, within_s: float) -> bytes | None:
        """The latest event, None when none came within the time."""
        try:
            async with asyncio.timeout(within_s):
                await self._ready.wait()
        except TimeoutError:
            return None
        if not self.closed:
            self._ready.clear()
        latest, self._latest = self._latest, None
        return latest


class Feed:
    """The open streams of a daemon.

    Args:
        write_s: how long a reader may take nothing.
        heartbeat_s: the longest silence.
    """

    def __init__(self, *, write_s: float = WRITE_S, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._write_s = write_s
        self._heartbeat_s = heartbeat_s
        self._readers: set[Reader] = set()
        self._gone = asyncio.Event()
        self._gone.set()

    def __len__(self) -> int:
        return len(self._readers)

    async def serve(
        self,
        request: web.Request,
        readers: set[Reader],
        *,
        everything: Callable[[], bytes],
        allowed: Callable[[], bool],
        headers: dict[str, str],
    ) -> web.StreamResponse:
        """Stream to one reader until it goes, is too slow, may read no longer, or the daemon stops.

        Args:
            request: the reader's.
            readers: of one account, who are offered its events.
            everything: an event that tells all there is to know.
            allowed: asked before each event.
            headers: of the reply.
        """
        if len(self._readers) >= MOST_READERS:
            raise busy("too many readers", retry_after_s=5)
        response = web.StreamResponse(
            headers=headers
            | {
                str(hdrs.CONTENT_TYPE): "text/event-stream; charset=utf-8",
                str(hdrs.CACHE_CONTROL): "no-store",
                str(hdrs.SERVER): SERVER,
                "X-Accel-Buffering": "no",
            }
        )
        reader = Reader(request.transport)
        self._readers.add(reader)
        readers.add(reader)
        self._gone.clear()
        try:
            await response.prepare(request)
            await self._write(reader, response, b"retry: %d\n\n" % RETRY_MS + _whole(reader, everything))
            while not reader.closed and allowed():
                told = await reader.take(self._heartbeat_s)
                if told is not None and reader.behind:
                    told = _whole(reader, everything)
                await self._write(reader, response, told or b": still here\n\n")
        except (TimeoutError, ConnectionError):
            pass  # too slow, or gone; it comes back if it wants
        finally:
            readers.discard(reader)
            self._readers.discard(reader)
            if not self._readers:
                self._gone.set()
        response.force_close()
        return response

    async def close(self) -> None:
        """End every stream; who does not take the end within a moment is dropped."""
        for reader in self._readers:
            reader.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._gone.wait()
        except TimeoutError:
            for reader in self._readers:
                reader.drop()

    async def _write(self, reader: Reader, response: web.StreamResponse, event: bytes) -> None:
        try:
            async with asyncio.timeout(self._write_s):
                await response.write(event)
        except TimeoutError:
            reader.drop()
            raise


def _whole(reader: Reader, everything: Callable[[], bytes]) -> bytes:
    reader.behind = False
    return everything()


def event(name: str, data: bytes) -> bytes:
    """One event; `data` is JSON, which has no line breaks."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
