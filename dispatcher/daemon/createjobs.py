"""`POST /api/createjobs`: a request as Hellotracks takes it, made durable before it is answered."""

from __future__ import annotations

import asyncio

from aiohttp import web

from dispatcher.daemon.access import KEY_HEADER, Guard
from dispatcher.daemon.body import read_body
from dispatcher.daemon.created import outcome, whereabouts
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.order import LARGE_BYTES, read_order
from dispatcher.daemon.prefer import Preference, read_preference
from dispatcher.daemon.reply import OK, Refusal, json_reply
from dispatcher.errors import InvalidJobs
from dispatcher.intake import InputError
from dispatcher.model.records import SEND_ROUTE_CHANGE, NewJob
from dispatcher.settings import Settings

MANY_JOBS = 500
"""A reply with more full job objects is put together in a thread."""


class CreateJobs:
    """The handler.

    Args:
        desk: where the jobs go.
        guard: asks for the key.
        settings: sizes and times.
    """

    def __init__(self, desk: Desk, *, guard: Guard, settings: Settings) -> None:
        self._desk = desk
        self._guard = guard
        self._settings = settings
        self._switches = SEND_ROUTE_CHANGE if settings.send_route_change else 0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        jobs = await self._jobs(request)
        preference = read_preference(request.headers.getall("Prefer", ()))
        desk = self._desk
        with desk:
            rows = await desk.accept(jobs)
            if preference.respond_async:
                document = {
                    "status": OK,
                    "jobs": [whereabouts(job.key, row.state) for job, row in zip(jobs, rows, strict=True)],
                }
                return json_reply(document, http_status=202, headers={"Preference-Applied": "respond-async"})
            receipts = await desk.settle(rows, timeout_s=self._patience_s(preference))
        if len(jobs) > MANY_JOBS:
            http_status, document = await asyncio.to_thread(outcome, jobs, receipts)
        else:
            http_status, document = outcome(jobs, receipts)
        return json_reply(document, http_status=http_status)

    async def _jobs(self, request: web.Request) -> list[NewJob]:
        """The request's jobs.

        Raises:
            Refusal: 400 with every problem, 401, 408 or 413.
        """
        key = request.headers.get(KEY_HEADER)
        if key:
            self._guard.check(key)
        body = await read_body(
            request, max_bytes=self._settings.max_body_bytes, timeout_s=self._settings.body_timeout_s
        )
        try:
            if not key:
                await self._guard.check_body(body)
            if len(body) > LARGE_BYTES:
                return await asyncio.to_thread(read_order, body, switches=self._switches)
            return read_order(body, switches=self._switches)
        except InputError as error:
            raise Refusal(400, str(error)) from None
        except InvalidJobs as bad:
            raise _refused(bad) from None

    def _patience_s(self, preference: Preference) -> float:
        longest = self._settings.accept_timeout_s
        return longest if preference.wait_s is None else min(preference.wait_s, longest)


def _refused(bad: InvalidJobs) -> Refusal:
    errors = [{"index": error.index, "field": error.field, "message": error.message} for error in bad.errors]
    return Refusal(400, f"nothing was accepted: {bad}", extra={"errors": errors})
