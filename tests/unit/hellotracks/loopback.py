"""A server on the loopback that says exactly the bytes a test wants, and a client that talks to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import orjson

from dispatcher.hellotracks import HellotracksClient

KEY = "abcdef.0123456789secret"
"""The API key of every test: it must not be seen anywhere."""

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One whole request: its head and its body by Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)


def reply(body: bytes, *, status: str = "200 OK", headers: str = "Content-Type: application/json\r\n") -> bytes:
    """A whole HTTP reply."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answering(*answers: bytes) -> Script:
    """A server that reads a request and says the next answer, on one connection after another; the last one repeats."""
    left = list(answers)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return script


def closing_after(answer: bytes = b"") -> Script:
    """A server that reads a request, says `answer` and closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()

    return script


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[str]:
    """Run `script` for every connection; gives the base URL. A connection is closed when its script ends."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await script(reader, writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        await server.wait_closed()


def client_of(url: str, *, request_timeout_s: float = 5.0, connect_timeout_s: float = 2.0) -> HellotracksClient:
    """A client with the tests' key."""
    return HellotracksClient(
        base_url=url, api_key=KEY, request_timeout_s=request_timeout_s, connect_timeout_s=connect_timeout_s
    )


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def job(key: str, **fields: object) -> bytes:
    """A stored job."""
    return orjson.dumps({"uidSecondary": key, "destinationName": f"Visit {key}", **fields})


def created(*keys: str) -> bytes:
    """The reply of createjobs to these keys."""
    return orjson.dumps(
        {"jobs": [{"id": f"id-{key}", "uidSecondary": key, "worker": "", "day": 0} for key in keys], "status": 0}
    )
