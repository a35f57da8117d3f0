"""One request and its reply over aiohttp; failures become `NotSent` or `OutcomeUnknown`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

import aiohttp
from aiohttp import hdrs
from aiohttp.http import HttpProcessingError
from yarl import URL

from dispatcher.errors import NotSent, OutcomeUnknown, RemoteError
from dispatcher.hellotracks.remote_words import tidy
from dispatcher.hellotracks.request_body import RequestBody
from dispatcher.hellotracks.retry_after import retry_after_s
from dispatcher.hellotracks.verdict import Reply, refusal
from dispatcher.model.secret import MaskedText, Secret

LONGEST_REPLY = 256 * 1024 * 1024
"""Bytes of one reply, decompressed; a longer one is not read to its end."""
LONGEST_LISTING = 8 * 1024 * 1024 * 1024
"""The same for a listing that is read job by job and not kept."""
_LISTING_PATIENCE = 30
"""A listing may take so many times longer than other requests, as long as it keeps coming."""
_LONGEST_REFUSAL = 64 * 1024
"""Bytes looked at of a reply outside 2xx, for the server's words."""

_log = logging.getLogger("dispatcher.hellotracks")

_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
"""Raised by aiohttp only while there is no connection: refused, unreachable, DNS, TLS, no free connection in time."""
_FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError)


class Sink(Protocol):
    """Takes the content of a 2xx reply as it arrives."""

    def feed(self, chunk: bytes) -> object:
        """The next piece."""
        ...

    def frame(self) -> bytes:
        """After the last piece: what becomes the reply's body."""
        ...


class _Whole:
    """Keeps everything."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def frame(self) -> bytes:
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


class Wire:
    """Sends requests on a session with the account's key and time-outs; never repeats or redirects one.

    Args:
        session: where connections come from.
        api_key: put into each request's header, nowhere else.
        timeout: applied to each request, whatever the session's own.
        user_agent: the header of that name.
        now: Unix time, for a `Retry-After` that names a date.
    """

    __slots__ = ("_api_key", "_now", "_patient", "_session", "_timeout", "_user_agent")

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_key: Secret,
        timeout: aiohttp.ClientTimeout,
        user_agent: str,
        now: Callable[[], float],
    ) -> None:
        self._session = session
        self._api_key = api_key
        self._timeout = timeout
        # a listing of a day may take long as a whole, but not without a sign of life
        self._patient = aiohttp.ClientTimeout(
            total=timeout.total and timeout.total * _LISTING_PATIENCE,
            connect=timeout.connect,
            sock_connect=timeout.sock_connect,
            sock_read=timeout.sock_read,
            ceil_threshold=timeout.ceil_threshold,
        )
        self._user_agent = user_agent
        self._now = now

    async def call(self, action: str, url: URL, content: bytes | None = None, *, sink: Sink | None = None) -> Reply:
        """POST `content`, or GET when there is none. Returns a reply with a 2xx status, read to its end.

        Raises:
            NotSent: nothing of the request reached the network.
            OutcomeUnknown: it may have arrived, and no whole reply came.
            RemoteError: what the HTTP status stands for, see `verdict`.
        """
        body = None if content is None else RequestBody(content)
        reply: Reply | None = None
        error: RemoteError | None = None
        started = time.perf_counter()
        try:
            reply = await self._exchange(action, url, body, sink)
        except _FAILURES as exc:
            error = self._failure(action, url, exc, begun=body.begun if body else not isinstance(exc, _BEFORE_SENDING))
        # raised here and not in the handler, so that no aiohttp error with the request's headers hangs on it
        if reply is not None:
            error = refusal(reply)
        if _log.isEnabledFor(logging.DEBUG):
            outcome = reply.http_status if reply else type(error).__name__
            _log.debug("%s: %s in %.1f ms", action, outcome, 1e3 * (time.perf_counter() - started))
        if error is not None:
            raise error
        assert reply is not None  # noqa: S101 - either of the two is there
        return reply

    async def _exchange(self, action: str, url: URL, body: RequestBody | None, sink: Sink | None) -> Reply:
        async with self._session.request(
            hdrs.METH_GET if body is None else hdrs.METH_POST,
            url,
            data=body,
            headers={
                "API-Key": MaskedText(self._api_key.reveal()),
                hdrs.ACCEPT: "application/json",
                hdrs.USER_AGENT: self._user_agent,
            },
            allow_redirects=False,
            raise_for_status=False,
            timeout=self._patient if sink else self._timeout,
            middlewares=(_once,),
        ) as response:
            good = 200 <= response.status < 300
            return Reply(
                action=action,
                http_status=response.status,
                body=await _read(response, sink or _Whole(), LONGEST_LISTING if sink else LONGEST_REPLY)
                if good
                else await _beginning(response),
                retry_after_s=retry_after_s(
                    response.headers.get(hdrs.RETRY_AFTER), now=self._now(), date=response.headers.get(hdrs.DATE)
                ),
                location=response.headers.get(hdrs.LOCATION, "").partition("?")[0],
                secret=self._api_key,
            )

    def _failure(self, action: str, url: URL, exc: Exception, *, begun: bool) -> RemoteError:
        said = f"{action}: {_why(exc)} ({url.origin()})"
        error: RemoteError
        if not begun:
            error = NotSent(said)
        elif isinstance(exc, TimeoutError):
            error = OutcomeUnknown(said, backpressure=True, server_done=False)
        else:
            error = OutcomeUnknown(said)
        error.__cause__ = _presentable(exc)
        return error


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET by itself on a lost connection: limits count every request."""
    try:
        return await send(request)
    except _BEFORE_SENDING:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise aiohttp.ClientConnectionError(_why(exc)) from exc


async def _read(response: aiohttp.ClientResponse, sink: Sink, longest: int) -> bytes:
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > longest:
            raise aiohttp.ClientPayloadError(f"a reply of more than {longest} bytes")
        sink.feed(chunk)
    return sink.frame()


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """What can be had of the content of a refusal; its status has said what counts."""
    start = bytearray()
    try:
        async for chunk in response.content.iter_any():
            start += chunk
            if len(start) >= _LONGEST_REFUSAL:
                response.close()
                break
    except _FAILURES:
        response.close()
    return bytes(start[:_LONGEST_REFUSAL])


def _why(exc: BaseException) -> str:
    """A failure in words, without anything of the request or of a reply."""
    if isinstance(exc, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    if isinstance(exc, TimeoutError):
        return "no whole reply in time"
    if isinstance(exc, aiohttp.ClientConnectorError):
        return f"cannot connect: {tidy(str(exc.os_error)) or type(exc.os_error).__name__}"
    if isinstance(exc, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    if isinstance(exc, aiohttp.ClientPayloadError):
        return "the reply is damaged or was cut short"
    if isinstance(exc, aiohttp.ClientResponseError | HttpProcessingError):
        return f"the reply is not HTTP ({type(exc.__cause__ or exc).__name__})"
    return tidy(str(exc)) or type(exc).__name__


def _presentable(exc: BaseException) -> BaseException | None:
    """The cause to keep, without frames; None when it holds the request's headers or a piece of a reply."""
    link: BaseException | None = exc
    while link is not None:
        if isinstance(link, aiohttp.ClientResponseError | HttpProcessingError):
            return None
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return exc
