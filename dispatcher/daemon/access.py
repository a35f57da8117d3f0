"""Who may come in: a key picks the account, and no foreign web page gets in without one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from dispatcher.daemon.address import Address
from dispatcher.daemon.order import LARGE_BYTES, key_in
from dispatcher.daemon.passes import Pass
from dispatcher.daemon.reply import Refusal

if TYPE_CHECKING:
    from dispatcher.daemon.desk import Desk

KEY_HEADER = "API-Key"
_SALT = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that was let in.

    Attributes:
        desk: of its account.
        client: its name, "" when it has none.
    """

    desk: Desk
    client: str = ""


_VISITOR = web.RequestKey("dispatcher.visitor", Visitor)


class Guard:
    """Finds the account that a key opens. Compares in constant time, with all keys; says 401 and not why.

    Args:
        passes: the keys that are good; none: whoever comes is let in.
        desks: the accounts by name, as they are at the moment.
    """

    __slots__ = ("_desks", "_passes")

    def __init__(self, passes: Iterable[Pass], *, desks: Mapping[str, Desk]) -> None:
        self._desks = desks
        self.replace(passes)

    @property
    def asks(self) -> bool:
        """Whether a key is needed."""
        return bool(self._passes)

    def replace(self, passes: Iterable[Pass]) -> None:
        """These keys are good from now on, and no other."""
        self._passes = [(_digest(one.key.reveal()), one) for one in passes]

    def admit(self, presented: str | None, *, account: str | None = None) -> Visitor:
        """Let a client in by its key.

        Args:
            presented: the key, None when there was none.
            account: the account that the client names, None when it names none.

        Raises:
            Refusal: 401, the key is not good; 404, the account is not the key's or not known.
        """
        client = ""
        if self._passes:
            found = self._find(presented or "")
            if found is None or found.account not in self._desks:
                raise Refusal(401, "unauthorized")
            if account is not None and account != found.account:
                raise unknown_account(account)
            name, client = found.account, found.client
        else:
            name = next(iter(self._desks), "") if account is None else account
        desk = self._desks.get(name)
        if desk is None:
            raise unknown_account(name)
        return Visitor(desk, client)

    async def visitor(self, request: web.BaseRequest, body: bytes) -> Visitor:
        """Who asks: let in by the header before, or by the key in the body now.

        Raises:
            Refusal: as `admit`.
        """
        visitor = request.get(_VISITOR)
        if visitor is None:
            key = await asyncio.to_thread(key_in, body) if len(body) > LARGE_BYTES else key_in(body)
            visitor = request[_VISITOR] = self.admit(key, account=account_in(request))
        return visitor

    def check_origin(self, request: web.BaseRequest) -> None:
        """Refuse what a web page of another site makes a browser send: without a key nothing else would stop it.

        Raises:
            Refusal: 403.
        """
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or self._passes:
            return
        try:
            host = urlsplit(origin).hostname or ""
        except ValueError:
            host = ""
        if not Address(host, 0).loopback:
            raise Refusal(403, "requests of web pages from elsewhere are not taken")

    def _find(self, presented: str) -> Pass | None:
        digest = _digest(presented)
        found = None
        for known, one in self._passes:
            if hmac.compare_digest(known, digest):
                found = one
        return found


def let_in(request: web.BaseRequest, visitor: Visitor) -> None:
    """Write down on the request who asks."""
    request[_VISITOR] = visitor


def desk_of(request: web.BaseRequest) -> Desk:
    """The account that a request is for, once the door has let it in."""
    return request[_VISITOR].desk


def account_in(request: web.BaseRequest) -> str | None:
    """The account that a request names (`?account=NAME`), None when it names none."""
    return request.query.get("account") if request.query_string else None


def unknown_account(name: str) -> Refusal:
    """404."""
    return Refusal(404, f"no account {name}")


def _digest(key: str) -> bytes:
    """Of one length for all keys, so that comparing does not tell a key's length."""
    return hashlib.blake2b(key.encode(errors="surrogateescape"), digest_size=32, key=_SALT).digest()
