"""`POST /api/createjobs`: a request as Hellotracks takes it, made durable before it is answered."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from dispatcher.daemon.access import Guard, Visitor
from dispatcher.daemon.body import read_body
from dispatcher.daemon.created import outcome, whereabouts
from dispatcher.daemon.order import LARGE_BYTES, read_order
from dispatcher.daemon.prefer import Preference, read_preference
from dispatcher.daemon.reply import OK, Refusal, json_reply, refused_jobs
from dispatcher.errors import InvalidJobs
from dispatcher.intake import InputError
from dispatcher.model.records import SEND_ROUTE_CHANGE, NewJob
from dispatcher.settings import Settings

_log = logging.getLogger("dispatcher.daemon")

MANY_JOBS = 500
"""A reply with more full job objects is put together in a thread."""


class CreateJobs:
    """The handler.

    Args:
        guard: asks for the key, which says whose jobs they are.
        settings: sizes and times of the process.
    """

    def __init__(self, *, guard: Guard, settings: Settings) -> None:
        self._guard = guard
        self._settings = settings

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.post("/api/createjobs", self.answer)]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        visitor, jobs = await self._order(request)
        desk = visitor.desk
        preference = read_preference(request.headers.getall("Prefer", ()))
        with desk:
            rows = await desk.accept(jobs, client=visitor.client)
            if preference.respond_async:
                document = {
                    "status": OK,
                    "jobs": [whereabouts(job.key, row.state) for job, row in zip(jobs, rows, strict=True)],
                }
                return json_reply(document, http_status=202, headers={"Preference-Applied": "respond-async"})
            receipts = await desk.settle(rows, timeout_s=_patience_s(preference, desk.settings))
        if len(jobs) > MANY_JOBS:
            http_status, document = await asyncio.to_thread(outcome, jobs, receipts)
        else:
            http_status, document = outcome(jobs, receipts)
        return json_reply(document, http_status=http_status)

    async def _order(self, request: web.Request) -> tuple[Visitor, list[NewJob]]:
        """The request's jobs, and who sends them.

        Raises:
            Refusal: 400 with every problem, 401, 408 or 413.
        """
        body = await read_body(
            request, max_bytes=self._settings.max_body_bytes, timeout_s=self._settings.body_timeout_s
        )
        visitor = await self._guard.visitor(request, body)
        switches = SEND_ROUTE_CHANGE if visitor.desk.settings.send_route_change else 0
        try:
            if len(body) > LARGE_BYTES:
                return visitor, await asyncio.to_thread(read_order, body, switches=switches)
            return visitor, read_order(body, switches=switches)
        except InputError as error:
            raise Refusal(400, str(error)) from None
        except InvalidJobs as bad:
            _log.info(
                "jobs of the client %s (account %s) were refused: %s",
                visitor.client or "without a name",
                visitor.desk.dispatcher.account,
                bad,
            )
            raise refused_jobs(bad) from None


def _patience_s(preference: Preference, settings: Settings) -> float:
    longest = settings.accept_timeout_s
    return longest if preference.wait_s is None else min(preference.wait_s, longest)
