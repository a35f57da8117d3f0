"""The page at `/`: what goes on, and why, for people."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from aiohttp import hdrs, web

from dispatcher.daemon.desk import Desk
from dispatcher.daemon.nodes import Nodes
from dispatcher.daemon.page.acting import keys_in, replay, withdraw
from dispatcher.daemon.page.among import leader_document, nodes_document
from dispatcher.daemon.page.assets import PATH, Assets
from dispatcher.daemon.page.board import Board
from dispatcher.daemon.page.entry import OFF, Entry, read_document
from dispatcher.daemon.page.feed import Feed
from dispatcher.daemon.page.fleet_map import FOR_A_WHILE, Built
from dispatcher.daemon.page.listing import listed
from dispatcher.daemon.page.sheet import line, sheet
from dispatcher.daemon.reply import Refusal, json_reply
from dispatcher.model.state import State
from dispatcher.pipeline.fleet_map import route_view
from dispatcher.settings import Settings
from dispatcher.spool import Filter

_log = logging.getLogger("dispatcher.daemon")

TICK_S = 1.0
"""Between two samples, and between two events."""
MOST_ROWS = 200
ROUTES = (
    "/",
    "/page/settings",
    "/page/session",
    "/page/events",
    "/page/map",
    "/page/names",
    "/page/route",
    "/page/jobs",
    "/page/job/{key}",
    "/page/replay",
    "/page/withdraw",
    f"{PATH}/{{digest}}/{{name}}",
)
"""They ask for tokens of their own instead of the API key."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page:
    """The handlers, and the samples that they show.

    Args:
        desks: the accounts by name, as they are at the moment.
        settings: tokens and map images.
        loopback: nobody but this machine can reach the daemon.
        nodes: the daemons on the same spool.
        feed: the event streams.
        entry: who may come in.
    """

    def __init__(
        self,
        desks: Mapping[str, Desk],
        *,
        settings: Settings,
        loopback: bool,
        nodes: Nodes,
        feed: Feed | None = None,
        entry: Entry | None = None,
    ) -> None:
        self._desks = desks
        self._settings = settings
        self._nodes = nodes
        self._entry = entry or Entry(settings, loopback=loopback)
        self._assets = Assets(tile_url=settings.tile_url)
        self._feed = feed or Feed()
        self._rng = random.Random()
        self._boards: dict[str, Board] = {}
        self._sampler: asyncio.Task[None] | None = None

    def routes(self) -> list[web.AbstractRouteDef]:
        """What the page answers."""
        read, act = self._read, self._act
        return [
            web.get("/", self._shell),
            web.get(f"{PATH}/{{digest}}/{{name}}", self._assets.answer),
            web.get("/page/settings", self._told(self._page_settings)),
            web.post("/page/session", self._told(self._entry.log_in)),
            web.delete("/page/session", self._told(self._entry.log_out)),
            web.get("/page/events", read(self._events)),
            web.get("/page/map", read(self._map)),
            web.get("/page/names", read(self._names)),
            web.get("/page/route", read(self._route)),
            web.get("/page/jobs", read(self._jobs)),
            web.get("/page/job/{key:.+}", read(self._job)),
            web.post("/page/replay", act(self._replay)),
            web.post("/page/withdraw", act(self._withdraw)),
        ]

    def open(self) -> None:
        """Begin to sample."""
        self._sampler = asyncio.create_task(self._run(), name="page")

    async def close(self) -> None:
        """End the streams and sample no longer. Before the accounts are closed. Idempotent."""
        sampler, self._sampler = self._sampler, None
        if sampler is not None:
            sampler.cancel()
            await asyncio.gather(sampler, return_exceptions=True)
        await self._feed.close()
        for board in self._boards.values():
            board.close()
        self._boards.clear()

    # -- samples ------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._tick()
            except Exception as error:  # noqa: BLE001 - an account that is just being closed; the next second is another
                _log.warning("the page missed a second: %r", error)
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        self._keep_boards()
        if len(self._feed):
            self._nodes.hurry()
        await asyncio.gather(*(self._sample(board) for board in self._boards.values()))
        around = self._around()
        for board in self._boards.values():
            board.publish(around, self._leader(board))

    def _keep_boards(self) -> None:
        """A board for each account there is, and none for what is gone."""
        for name, board in list(self._boards.items()):
            if self._desks.get(name) is not board.desk:
                board.close()
                del self._boards[name]
        for name, desk in self._desks.items():
            if name not in self._boards:
                self._boards[name] = Board(desk, self._rng)

    async def _sample(self, board: Board) -> None:
        try:
            await board.sample()
        except Exception as error:  # noqa: BLE001 - an account in trouble does not blind the others
            _log.warning("the page cannot look at %s: %r", board.desk.dispatcher.account, error)

    def _around(self) -> dict[str, Any]:
        """What the readers of all accounts are told."""
        return {
            "accounts": [board.line() for board in self._boards.values()],
            "nodes": nodes_document(self._nodes),
        }

    def _leader(self, board: Board) -> dict[str, Any] | None:
        shared, settings = self._nodes.shared, board.desk.dispatcher.settings
        if shared is None or settings.policy == "none":
            return None
        return leader_document(self._nodes.seen(), settings.account, me=shared.node_id)

    # -- who may ----------------------------------------------------------------------------------------------------

    def _read(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            self._entry.check_reading(request)
            return await handler(request)

        return self._told(checked)

    def _act(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            self._entry.check_acting(request)
            return await handler(request)

        return self._told(checked)

    def _told(self, handler: Handler) -> Handler:
        """Replies of the page are for its reader alone, and never kept."""

        async def headed(request: web.Request) -> web.StreamResponse:
            response = await handler(request)
            if not response.prepared:
                response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
                for name, value in self._assets.headers.items():
                    response.headers[name] = value
            return response

        return headed

    def _board(self, request: web.Request) -> Board:
        self._keep_boards()
        name = request.query.get("account") or next(iter(self._boards), "")
        board = self._boards.get(name)
        if board is None:
            raise Refusal(404, f"no account {name}")
        return board

    # -- the page itself ----------------------------------------------------------------------------------------------

    async def _shell(self, _: web.Request) -> web.Response:
        """`GET /`: the page without any data."""
        if self._entry.off:
            return web.Response(text=OFF + "\n", status=403, headers=self._assets.headers)
        headers = self._assets.headers | {"Cache-Control": "no-cache"}
        return web.Response(body=self._assets.shell, content_type="text/html", charset="utf-8", headers=headers)

    async def _page_settings(self, request: web.Request) -> web.Response:
        """`GET /page/settings`: what the page must know before it asks for more."""
        reads = self._entry.may_read(request)
        return json_reply(
            {
                "reads": reads,
                "token": bool(self._settings.read_token),
                "acts": self._entry.acting(request) if reads else "off",
                "plotly": self._assets.has_plotly,
                "style_ids": await self._assets.style_ids(),
                "tile_url": self._settings.tile_url,
                "accounts": list(self._desks) if reads else [],
            }
        )

    # -- reading ------------------------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.StreamResponse:
        board = self._board(request)
        await self._nodes.look()
        return await self._feed.serve(
            request,
            board.readers,
            everything=lambda: board.everything(self._around(), self._leader(board)),
            allowed=lambda: self._entry.may_read(request),
            headers=self._assets.headers,
        )

    async def _map(self, request: web.Request) -> web.Response:
        return _sent(request, await self._board(request).map.map(), "no-cache")

    async def _names(self, request: web.Request) -> web.Response:
        return _sent(request, await self._board(request).map.names(), FOR_A_WHILE)

    async def _route(self, request: web.Request) -> web.Response:
        from engine import EngineError  # noqa: PLC0415 - the engine loads when it is needed

        worker = request.query.get("worker", "")
        day = _whole(request.query.get("day") or "0", "day")
        try:
            route = await self._board(request).desk.dispatcher.pipeline.fleet.ask(
                partial(route_view, worker=worker, day=day)
            )
        except EngineError as error:
            raise Refusal(404, str(error)) from None
        if route is None:
            raise Refusal(503, "the fleet is not known", headers={"Retry-After": "5"})
        return json_reply(msgspec.to_builtins(route))

    async def _jobs(self, request: web.Request) -> web.Response:
        query = request.query
        names = [name for name in ",".join(query.getall("state", [])).split(",") if name]
        before = query.get("before")
        found = await listed(
            self._board(request).desk.dispatcher,
            Filter(
                states=tuple(_state(name) for name in names),
                worker=query.get("worker") or None,
                text=query.get("q") or None,
            ),
            before=_whole(before, "before") if before else None,
            limit=min(MOST_ROWS, max(1, _whole(query.get("limit") or "50", "limit"))),
        )
        return json_reply({"jobs": [line(row) for row in found.rows], "before": found.before})

    async def _job(self, request: web.Request) -> web.Response:
        return json_reply(await sheet(self._board(request).desk.dispatcher, request.match_info["key"]))

    # -- acting -------------------------------------------------------------------------------------------------------

    async def _replay(self, request: web.Request) -> web.Response:
        return json_reply(await replay(self._board(request).desk.dispatcher, await self._keys(request)))

    async def _withdraw(self, request: web.Request) -> web.Response:
        return json_reply(await withdraw(self._board(request).desk.dispatcher, await self._keys(request)))

    async def _keys(self, request: web.Request) -> list[str]:
        return keys_in(await read_document(request, timeout_s=self._settings.body_timeout_s))


def _sent(request: web.Request, built: Built, kept: str) -> web.Response:
    """A document with its tag; 304 when the reader has it."""
    tag = f'"{built.tag}"'
    headers = {str(hdrs.ETAG): tag, str(hdrs.CACHE_CONTROL): kept, str(hdrs.VARY): "Accept-Encoding"}
    if tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
        headers[str(hdrs.CONTENT_ENCODING)] = "gzip"
        return web.Response(body=built.zipped, content_type="application/json", headers=headers)
    return web.Response(body=built.body, content_type="application/json", headers=headers)


def _state(name: str) -> State:
    try:
        return State(name)
    except ValueError:
        raise Refusal(400, f"state: {name} is none of {', '.join(State)}") from None


def _whole(text: str, name: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise Refusal(400, f"{name}: must be a whole number")
