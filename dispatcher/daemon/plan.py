"""`POST /plan`: a `createjobs` request as a dry run. Who would get which job, and why somebody would not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from dispatcher.daemon.access import Guard
from dispatcher.daemon.body import read_body
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.order import LARGE_BYTES, read_order
from dispatcher.daemon.reply import Refusal, busy, json_reply, refused_jobs
from dispatcher.errors import FleetUnusable, InvalidJobs
from dispatcher.intake import InputError
from dispatcher.model.job import content_digest, named
from dispatcher.model.key import content_key
from dispatcher.model.planned import plan_document
from dispatcher.model.records import NewJob
from dispatcher.settings import Settings

MOST_JOBS = 20_000
"""In one plan: with the reasons of every one it is a matter of seconds. `dispatcher plan` takes files of any length."""
RETRY_S = 5.0


class Plan:
    """The handler. A request is about the account that its key opens.

    Args:
        guard: asks for the key.
        settings: sizes and times of the process.
    """

    def __init__(self, *, guard: Guard, settings: Settings) -> None:
        self._guard = guard
        self._settings = settings
        self._turns: WeakKeyDictionary[Desk, asyncio.Lock] = WeakKeyDictionary()

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.post("/plan", self.answer)]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request; nothing is stored, sent or changed."""
        settings = self._settings
        body = await read_body(request, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s)
        desk = (await self._guard.visitor(request, body)).desk
        try:
            jobs = await asyncio.to_thread(_read, body) if len(body) > LARGE_BYTES else _read(body)
            return json_reply(await self._planned(desk, jobs))
        except InputError as error:
            raise Refusal(400, str(error)) from None
        except InvalidJobs as bad:
            raise refused_jobs(bad, "nothing was planned") from None
        except FleetUnusable as unusable:
            raise busy(str(unusable), retry_after_s=RETRY_S) from None

    async def _planned(self, desk: Desk, jobs: list[NewJob]) -> dict[str, Any]:
        """One plan at a time for each account: they take a core each."""
        if len(jobs) > MOST_JOBS:
            raise Refusal(413, f"a plan takes {MOST_JOBS} jobs at most, these are {len(jobs)}")
        patience_s = desk.settings.accept_timeout_s
        turn = self._turns.setdefault(desk, asyncio.Lock())
        try:
            async with asyncio.timeout(patience_s):
                await turn.acquire()
        except TimeoutError:
            raise busy("other plans are being made", retry_after_s=RETRY_S) from None
        try:
            decisions = await desk.dispatcher.plan(jobs, timeout_s=patience_s)
        finally:
            turn.release()
        return await asyncio.to_thread(plan_document, decisions)


def _read(body: bytes) -> list[NewJob]:
    """The jobs of a request. A place that cannot be used is an answer of the plan, not a problem of the request."""
    return read_order(body, lenient_coordinates=True, name=_by_content())


def _by_content() -> Callable[[NewJob], NewJob]:
    """Names for jobs without a key, the same each time they are asked about, as those of a file."""
    seen = Counter[bytes]()

    def name(job: NewJob) -> NewJob:
        digest = content_digest(job)
        seen[digest] += 1
        return named(job, content_key(digest, seen[digest]))

    return name
