"""Who may read the page and who may act on it.

Reading and acting have a token each. On a loopback address without a read token, whoever opens the page may read, and
act unless there is an act token; then only the page itself is listened to, under a loopback name, so that no other web
page can use it. On any other address the page is off until there is a read token.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
from aiohttp import hdrs, web

from dispatcher.daemon.address import Address
from dispatcher.daemon.body import read_body
from dispatcher.daemon.page.sessions import LASTS_S, Sessions
from dispatcher.daemon.reply import Refusal, json_reply
from dispatcher.model.secret import Secret
from dispatcher.settings import Settings

COOKIE = "dispatcher_session"
OWN_HEADER = "X-Dispatcher-Page"
"""Whatever changes something must carry it: a foreign page's form cannot, and its script would have to ask first."""
MOST_BYTES = 65_536
"""Of a body; the largest is a list of keys."""
WRONG_S = 1.0
"""A wrong token is answered after so long,"""
MOST_TRIES = 16
"""and so many may be tried at a time: a search through tokens would take for ever."""
OFF = (
    "The page is switched off: the daemon can be reached by other machines, and no read_token is set. "
    "Set read_token (DISPATCHER_READ_TOKEN) or read_token_file to switch it on, and act_token to act on it."
)

Acting = Literal["yes", "token", "off"]


class Entry:
    """Asks for tokens.

    Args:
        settings: with the tokens.
        loopback: nobody but this machine can reach the daemon.
        wrong_s: how long a wrong token is thought over.
    """

    def __init__(self, settings: Settings, *, loopback: bool, wrong_s: float = WRONG_S) -> None:
        self._read, self._act = settings.read_token, settings.act_token
        self._timeout_s = settings.body_timeout_s
        self._loopback = loopback
        self._wrong_s = wrong_s
        self._sessions = Sessions(time.monotonic)
        self._tries = 0

    @property
    def off(self) -> bool:
        """Nobody may read, because anybody could."""
        return not self._loopback and not self._read

    def may_read(self, request: web.BaseRequest) -> bool:
        """Whether this visitor may see anything of the accounts."""
        if self.off:
            return False
        if not self._read:
            return _loopback_name(request) and _own(request)
        scheme, _, shown = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer":
            return _same(self._read, shown.strip())
        session = self._sessions.find(request.cookies.get(COOKIE))
        return session is not None and session.reads and _own(request)

    def acting(self, request: web.BaseRequest) -> Acting:
        """Whether this visitor may act: yes, once the act token is shown, or not at all."""
        if not self._act:
            return "yes" if self._loopback and not self._read else "off"
        session = self._sessions.find(request.cookies.get(COOKIE))
        return "yes" if session is not None and session.acts else "token"

    def check_reading(self, request: web.BaseRequest) -> None:
        """Let a reader pass.

        Raises:
            Refusal: 401 with what is missing, 403 when no token would help.
        """
        if self.off:
            raise Refusal(403, OFF)
        if self.may_read(request):
            return
        if self._read:
            raise Refusal(401, "unauthorized", extra={"token": "read"})
        raise Refusal(403, "this page is for its own readers on this machine")

    def check_acting(self, request: web.BaseRequest) -> None:
        """Let somebody act.

        Raises:
            Refusal: 401 with what is missing, 403 when no token would help.
        """
        self.check_reading(request)
        _check_own_header(request)
        match self.acting(request):
            case "token":
                raise Refusal(401, "unauthorized", extra={"token": "act"})
            case "off":
                raise Refusal(403, "acting is switched off: set act_token (DISPATCHER_ACT_TOKEN)")

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """`POST /page/session` with `{"for": "read" or "act", "token": …}`: a cookie that stands for the token."""
        if self.off:
            raise Refusal(403, OFF)
        _check_own_header(request)
        if self._tries >= MOST_TRIES:
            raise Refusal(429, "too many tries at a time", headers={"Retry-After": "2"})
        self._tries += 1
        try:
            document = await read_document(request, timeout_s=self._timeout_s)
            wish, shown = document.get("for"), document.get("token")
            token = {"read": self._read, "act": self._act}.get(str(wish))
            if not token or not isinstance(shown, str) or not _same(token, shown.strip()):
                await asyncio.sleep(self._wrong_s)
                raise Refusal(401, "that is not the token")
        finally:
            self._tries -= 1
        if wish == "act":
            self.check_reading(request)
        name, _ = self._sessions.allow(request.cookies.get(COOKIE), reads=wish == "read", acts=wish == "act")
        reply = json_reply({"status": 0})
        reply.set_cookie(
            COOKIE,
            name,
            path="/",
            max_age=int(LASTS_S),
            httponly=True,
            samesite="Strict",
            secure=request.secure or request.headers.get("X-Forwarded-Proto", "") == "https",
        )
        return reply

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /page/session`: what the cookie stood for is over."""
        _check_own_header(request)
        self._sessions.end(request.cookies.get(COOKIE))
        reply = json_reply({"status": 0})
        reply.del_cookie(COOKIE, path="/")
        return reply


async def read_document(request: web.Request, *, timeout_s: float) -> dict[str, Any]:
    """A small JSON object as a request's body.

    Raises:
        Refusal: 400, 408 or 413.
    """
    body = await read_body(request, max_bytes=MOST_BYTES, timeout_s=timeout_s)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Refusal(400, "the body must be a JSON object")
    return document


def _check_own_header(request: web.BaseRequest) -> None:
    if OWN_HEADER not in request.headers or not _own(request):
        raise Refusal(403, "requests of web pages from elsewhere are not taken")


def _own(request: web.BaseRequest) -> bool:
    """The request does not come from a page of another site."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == request.host.lower()
    except ValueError:
        return False


def _loopback_name(request: web.BaseRequest) -> bool:
    """The page was asked for under a name of this machine, not under one that somebody has pointed at it."""
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    return Address(host, 0).loopback


def _same(token: Secret, shown: str) -> bool:
    return hmac.compare_digest(token.reveal().encode(), shown.encode(errors="surrogateescape"))
