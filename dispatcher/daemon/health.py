"""`/livez`, `/readyz`, `/metrics`: for those who watch the daemon. No key is needed, and no job's data is in them."""

from __future__ import annotations

import shutil
from pathlib import Path

from aiohttp import web

from dispatcher.daemon.connections import Connections
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.metrics import CONTENT_TYPE, UNSETTLED, Meters, sample
from dispatcher.daemon.reply import STOPPING, json_reply
from dispatcher.settings import Settings

MEMORY = frozenset({"memory:", ":memory:"})
"""Spools without a disk."""


class Health:
    """The handlers.

    Args:
        desk: whose state is told.
        meters: what was counted.
        settings: the spool's limits.
        connections: counted.
    """

    def __init__(self, desk: Desk, *, meters: Meters, settings: Settings, connections: Connections) -> None:
        self._desk = desk
        self._meters = meters
        self._settings = settings
        self._connections = connections
        self._folder = None if settings.spool in MEMORY else Path(settings.spool).absolute().parent

    async def live(self, _: web.Request) -> web.Response:
        """200: the event loop runs."""
        return json_reply({"status": "live"})

    async def ready(self, _: web.Request) -> web.Response:
        """200: jobs are taken and sent; 503 with the reason otherwise."""
        reason = await self._reason()
        if reason:
            return json_reply({"status": "not ready", "reason": reason}, http_status=503)
        return json_reply({"status": "ready"})

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format."""
        one = await sample(self._desk.dispatcher, problem=await self._reason())
        body = self._meters.text([one], connections=self._connections.count)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def _reason(self) -> str:
        desk, settings = self._desk, self._settings
        if desk.stopping:
            return STOPPING
        if desk.problem:
            return desk.problem
        counts = await desk.dispatcher.counts()
        unsettled = sum(counts[state] for state in UNSETTLED)
        if unsettled >= settings.spool_max_rows:
            return f"the spool is full: {unsettled} unsettled jobs"
        if self._folder is not None and settings.spool_min_free_bytes:
            free = shutil.disk_usage(self._folder).free
            if free < settings.spool_min_free_bytes:
                return f"the spool's disk has {free} bytes free, the floor is {settings.spool_min_free_bytes}"
        return ""
