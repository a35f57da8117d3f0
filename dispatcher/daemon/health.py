"""`/livez`, `/readyz`, `/metrics`: for those who watch the daemon. No key is needed, and no job's data is in them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from dispatcher.daemon.desk import Desk
from dispatcher.daemon.metrics import CONTENT_TYPE, Meters
from dispatcher.daemon.process import Process
from dispatcher.daemon.reply import STOPPING, json_reply
from dispatcher.daemon.sample import UNSETTLED, sample
from dispatcher.errors import DispatcherError
from dispatcher.settings import Settings

MEMORY = frozenset({"memory:", ":memory:"})
"""Spools without a disk."""


class Health:
    """The handlers.

    Args:
        desks: whose state is told.
        meters: what was counted.
        settings: the spool's limits.
        process: what belongs to no account.
    """

    def __init__(self, desks: Mapping[str, Desk], *, meters: Meters, settings: Settings, process: Process) -> None:
        self._desks = desks
        self._meters = meters
        self._settings = settings
        self._process = process
        self._folder = (
            None if settings.spool in MEMORY or "://" in settings.spool else Path(settings.spool).absolute().parent
        )

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [web.get("/livez", self.live), web.get("/readyz", self.ready), web.get("/metrics", self.metrics)]

    async def live(self, _: web.Request) -> web.Response:
        """200: the event loop runs."""
        return json_reply({"status": "live"})

    async def ready(self, _: web.Request) -> web.Response:
        """200: an account takes jobs and sends them; 503 with the reason when none does. Each account's state is told.

        On a spool that several daemons share also who leads it; a daemon that does not lead is as ready as the one that
        does.

        One broken account does not take the daemon out of service for the others.
        """
        away = await self._process.away()
        reasons = {name: away or await self._reason(desk) for name, desk in tuple(self._desks.items())}
        accounts = {
            name: {"ready": not reason, "reason": reason, **self._lead(name)} for name, reason in reasons.items()
        }
        if all(reasons.values()):
            reason = next(iter(reasons.values()), STOPPING)
            return json_reply({"status": "not ready", "reason": reason, "accounts": accounts}, http_status=503)
        return json_reply({"status": "ready", "accounts": accounts})

    def _lead(self, account: str) -> dict[str, bool | str]:
        """Who decides for an account, where several could."""
        desk = self._desks.get(account)
        lead = desk.dispatcher.pipeline.lead if desk is not None and not desk.stopping else None
        return {"leads": lead.held, "leader": lead.leader} if lead is not None and lead.shared else {}

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format."""
        samples = []
        away = await self._process.away()  # then only what belongs to the process is known
        for desk in () if away else tuple(self._desks.values()):
            with suppress(DispatcherError):  # an account that is being closed
                samples.append(await sample(desk.dispatcher, problem=await self._reason(desk)))
        body = self._meters.text(samples, await self._process.sample())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def _reason(self, desk: Desk) -> str:
        """Why an account is not ready, "" when it is."""
        if desk.stopping:
            return STOPPING
        if desk.problem:
            return desk.problem
        counts = await desk.dispatcher.counts()
        unsettled = sum(counts[state] for state in UNSETTLED)
        if unsettled >= desk.settings.spool_max_rows:
            return f"the spool is full: {unsettled} unsettled jobs"
        floor = self._settings.spool_min_free_bytes
        if self._folder is not None and floor:
            free = shutil.disk_usage(self._folder).free
            if free < floor:
                return f"the spool's disk has {free} bytes free, the floor is {floor}"
        return ""
