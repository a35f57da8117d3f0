"""What happens to every request on its way in and out: the key, the stop, and errors as JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import hdrs, web

from dispatcher.daemon import page
from dispatcher.daemon.access import KEY_HEADER, Guard, account_in, let_in
from dispatcher.daemon.accounts import Accounts
from dispatcher.daemon.connections import Connections
from dispatcher.daemon.metrics import Meters
from dispatcher.daemon.reply import SERVER, STOPPING, STOPPING_S, Refusal, busy
from dispatcher.errors import SpoolError, SpoolFull

_log = logging.getLogger("dispatcher.daemon")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

WATCHED = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
"""Answered without a key, and while the daemon stops."""
OWN_KEY_CHECK = frozenset({"/api/createjobs", "/api/{action}", "/plan"})
"""Their key may stand in the body."""
OWN_ACCESS = frozenset({*page.ROUTES, "/hooks/{account}"})
"""Routes, in aiohttp's canonical form, that look after who may come in and to which account by themselves."""
SPOOL_RETRY_S = 5.0


class Door:
    """The middleware.

    Args:
        accounts: say whether the daemon stops.
        guard: asks for the key, which says to which account a request goes.
        meters: where answers are counted.
        connections: told that a connection has brought a request.
    """

    def __init__(self, accounts: Accounts, *, guard: Guard, meters: Meters, connections: Connections) -> None:
        self._accounts = accounts
        self._guard = guard
        self._meters = meters
        self._connections = connections

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer one request, whatever happens."""
        self._connections.heard(request.protocol)
        resource = request.match_info.route.resource
        path = resource.canonical if resource else ""
        response = await self._answer(request, handler, path)
        response.headers[hdrs.SERVER] = SERVER
        self._meters.answered(path or "(unknown)", response.status)
        self._connections.answered(request.protocol)
        return response

    async def _answer(self, request: web.Request, handler: Handler, path: str) -> web.StreamResponse:
        try:
            if path not in WATCHED:
                self._check(request, path)
            return await handler(request)
        except Refusal as refusal:
            return refusal.response()
        except web.HTTPException as error:
            allow = error.headers.get(hdrs.ALLOW)
            headers = {str(hdrs.ALLOW): allow} if allow else None
            return Refusal(error.status, HTTPStatus(error.status).phrase.lower(), headers=headers).response()
        except SpoolFull as full:
            return busy(str(full), retry_after_s=full.retry_after_s).response()
        except SpoolError as error:
            _log.error("%s %s: %s", request.method, path, error)
            stopping = self._accounts.stopping
            message = STOPPING if stopping else "the spool cannot be used right now"
            return busy(message, retry_after_s=SPOOL_RETRY_S, close=stopping).response()
        except ConnectionError:
            raise  # the client is gone
        except Exception:  # noqa: BLE001 - a client gets an answer, and the next one its turn
            _log.exception("%s %s failed", request.method, path)
            return Refusal(500, "the dispatcher failed; see its log").response()

    def _check(self, request: web.Request, path: str) -> None:
        if self._accounts.stopping:
            raise busy(STOPPING, retry_after_s=STOPPING_S, close=True)
        wrong = request.match_info.http_exception
        if path in OWN_ACCESS or isinstance(wrong, web.HTTPMethodNotAllowed):
            return  # to be answered 405, whoever asks and whatever for
        guard = self._guard
        guard.check_origin(request)
        key = request.headers.get(KEY_HEADER)
        if key or not guard.asks or path not in OWN_KEY_CHECK:
            let_in(request, guard.admit(key, account=account_in(request)))
