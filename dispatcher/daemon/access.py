"""Who may come in: the daemon's own key, and no foreign web page."""

from __future__ import annotations

import asyncio
import hmac
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from dispatcher.daemon.address import Address
from dispatcher.daemon.order import LARGE_BYTES, key_in
from dispatcher.daemon.reply import Refusal
from dispatcher.model.secret import Secret

KEY_HEADER = "API-Key"


class Guard:
    """Compares keys in constant time; says 401 and not why.

    Args:
        key: what clients must send; empty: any key, or none, is good.
    """

    __slots__ = ("_key",)

    def __init__(self, key: Secret) -> None:
        self._key = key.reveal().encode()

    def check(self, presented: str | None) -> None:
        """Let a key pass.

        Raises:
            Refusal: 401.
        """
        if self._key and not hmac.compare_digest(self._key, (presented or "").encode(errors="surrogateescape")):
            raise Refusal(401, "unauthorized")

    async def check_body(self, body: bytes) -> None:
        """Let a request pass that carries the key in its body instead of its header.

        Raises:
            Refusal: 401.
        """
        if self._key:
            self.check(await asyncio.to_thread(key_in, body) if len(body) > LARGE_BYTES else key_in(body))

    def check_origin(self, request: web.BaseRequest) -> None:
        """Refuse what a web page of another site makes a browser send: without a key nothing else would stop it.

        Raises:
            Refusal: 403.
        """
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or self._key:
            return
        try:
            host = urlsplit(origin).hostname or ""
        except ValueError:
            host = ""
        if not Address(host, 0).loopback:
            raise Refusal(403, "requests of web pages from elsewhere are not taken")
