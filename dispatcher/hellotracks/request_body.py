"""A request's body that knows whether any of it can have left."""

from __future__ import annotations

from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_exceptions import ClientConnectionResetError
from aiohttp.payload import Payload

_FIRST_BYTES = 32 * 1024
"""Below aiohttp's drain mark of 64 KiB, so that the first write hands over to the transport and does nothing else."""
_PIECE_BYTES = 256 * 1024
"""Later writes; after each aiohttp waits until the transport's buffer has room."""


class RequestBody(Payload):
    """JSON in bytes, written in pieces.

    aiohttp holds the headers back and sends them with the first piece, so while `begun` is False nothing of the request
    is on the wire.

    Attributes:
        begun: True once a byte of the request may have reached the network.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content, content_type="application/json")
        self._content = memoryview(content)
        self._size = len(content)
        self.begun = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Hand the bytes to the connection."""
        self.begun = True
        try:
            await writer.write(self._content[:_FIRST_BYTES])
        except ClientConnectionResetError:
            # raised before the transport is touched: the connection was closing already
            self.begun = False
            raise
        for start in range(_FIRST_BYTES, len(self._content), _PIECE_BYTES):
            await writer.write(self._content[start : start + _PIECE_BYTES])

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return bytes(self._content).decode(encoding, errors)
