"""A wire to the database that can be cut in the middle of a commit."""

from __future__ import annotations

import asyncio
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

Cut = Literal["", "before", "after", "claim"]


class Wire:
    """A proxy: listens on a port of its own and passes everything on to the database, until it is told not to.

    Attributes:
        cut: what happens to the next COMMIT: "before" it is not passed on, "after" it is, but its answer is not. Then
            the connection is closed on both sides.
        down: new connections are refused.
        then_down: they are, from the next cut on.
        cuts: commits that were cut.
    """

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        folder = parse_qs(parts.query).get("host", [""])[0]
        self._socket = f"{folder}/.s.PGSQL.{parts.port or 5432}" if folder.startswith("/") else ""
        self._host, self._port = parts.hostname or "", parts.port or 5432
        self._user, self._database = parts.username or "", parts.path
        self.cut: Cut = ""
        self.down = False
        self.then_down = False
        self.cuts = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def dsn(self) -> str:
        """The database, through this wire."""
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://{self._user}@127.0.0.1:{port}{self._database}?sslmode=disable"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if not self.down:
                await self._pass_on(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._socket:
            back, forth = await asyncio.open_unix_connection(self._socket)
        else:
            back, forth = await asyncio.open_connection(self._host, self._port)
        answers = asyncio.create_task(self._copy(back, writer))
        told = False
        try:
            while data := await reader.read(1 << 16):
                claims = self.cut == "claim" and told
                told = b"SKIP LOCKED" in data  # the text comes in one message, the values in the next
                if claims or (self.cut and self.cut != "claim" and b"COMMIT" in data):
                    how, self.cut = self.cut, ""
                    self.down = self.then_down
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)
                    self.cuts += 1
                    if how != "before":
                        forth.write(data)
                        await back.read(1 << 16)
                    return
                forth.write(data)
                await forth.drain()
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            forth.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            to.write(data)
            await to.drain()
        to.transport.abort()
