"""Every other `/api` call is passed on to Hellotracks, within the same limits, so that one base URL is enough."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from dispatcher.daemon.access import Guard
from dispatcher.daemon.body import read_body
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.reply import Refusal, busy
from dispatcher.errors import Denied, DispatcherError, NotSent, OutcomeUnknown, Rejected, RemoteError, Throttled
from dispatcher.settings import Settings

RETRY_S = 5.0
READING = ("get", "locate", "createreport")
"""How calls begin that change nothing."""


class PassingOn:
    """The handler.

    A call goes out once, with the account's own key, whatever key the client has. After one that may have changed
    something the day routes are read anew.

    Args:
        guard: asks for the key, which says whose account it is.
        settings: sizes and times of the process.
    """

    def __init__(self, *, guard: Guard, settings: Settings) -> None:
        self._guard = guard
        self._settings = settings

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.post("/api/{action:[A-Za-z0-9_]+}", self.answer)]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        settings = self._settings
        body = await read_body(request, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s)
        desk = (await self._guard.visitor(request, body)).desk
        action = request.match_info["action"]
        try:
            answer = await _ask(desk, action, without_auth(body))
        finally:
            if not action.startswith(READING):
                desk.dispatcher.pipeline.sync.reread()
        kind = "application/json" if answer.lstrip()[:1] in {b"{", b"["} else "application/octet-stream"
        return web.Response(body=answer, content_type=kind)


async def _ask(desk: Desk, action: str, content: bytes) -> bytes:
    pipeline = desk.dispatcher.pipeline
    turnstile = pipeline.turnstile
    try:
        async with asyncio.timeout(desk.settings.accept_timeout_s):
            started = await turnstile.enter()
    except TimeoutError:
        raise busy(f"Hellotracks cannot be asked now ({turnstile.waiting_for})", retry_after_s=RETRY_S) from None
    except Denied as denied:
        raise busy(f"Hellotracks denied access: {denied}", retry_after_s=RETRY_S) from None
    outcome: BaseException | None = asyncio.CancelledError()
    try:
        await turnstile.pace(started)
        answer = await pipeline.client.forward(action, content)
        outcome = None
    except Denied as denied:
        # The key may lack the right to this call alone; whether it is good is found out by the calls of our own.
        outcome = Rejected(str(denied), http_status=denied.http_status)
        raise _refused(denied) from None
    except RemoteError as error:
        outcome = error
        raise _refused(error) from None
    finally:
        turnstile.leave(started, outcome)
    return answer


def without_auth(body: bytes) -> bytes:
    """The same request without a key of the client's in it.

    Raises:
        Refusal: 400, it is not a JSON object.
    """
    try:
        content = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refusal(400, "the body must be a JSON object")
    if "auth" not in content:
        return body or b"{}"
    del content["auth"]
    return orjson.dumps(content)


def _refused(error: DispatcherError) -> Refusal:
    """What a failed call means for the client who made it."""
    match error:
        case Throttled():
            return Refusal(429, str(error), headers={"Retry-After": str(max(1, round(error.retry_after_s or RETRY_S)))})
        case Rejected() | Denied() if error.http_status and 400 <= error.http_status < 500 and error.http_status != 401:
            return Refusal(error.http_status, str(error))
        case NotSent():
            return Refusal(502, f"not sent: {error}")
        case OutcomeUnknown() if error.http_status is None and error.backpressure:
            return Refusal(504, f"it may have been carried out: {error}")
        case OutcomeUnknown():
            return Refusal(502, f"it may have been carried out: {error}")
        case _:
            return Refusal(502, str(error))
