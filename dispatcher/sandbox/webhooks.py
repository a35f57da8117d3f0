"""Webhooks: what happens to jobs is posted to a URL, in order, in either documented generation of the form."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

STYLES = ("new", "old")
_OLD_NAMES = {"jobcheckin": "jobchecked", "jobcheckout": "jobchecked"}
_MOST_WAITING = 100_000
_PATIENCE_S = 10.0


class Webhooks:
    """Posts events one after the other, each once; what nobody takes is lost, as a caller must expect.

    Args:
        url: where to.
        header, key: shown with every delivery; an empty key: none is.
        style: "new" sends `account`, `id`, `data`, `action` and `reason`; "old" `id`, `data` and `action`, with older
            names of some actions.
        account: the company's name in a delivery.

    Attributes:
        tally: deliveries by HTTP status, and `failed` for those that were not answered.
        paused: nothing is posted while it is set; what happens meanwhile waits.
    """

    def __init__(self, url: str, *, header: str, key: str, style: str, account: str) -> None:
        self.tally: Counter[str] = Counter()
        self.paused = False
        self._url = url
        self._headers = {header: key} if key else {}
        self._style = style
        self._account = account
        self._waiting: deque[tuple[str, bytes, str]] = deque(maxlen=_MOST_WAITING)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Deliveries that are not posted yet, or under way."""
        return len(self._waiting)

    def happened(self, action: str, job: Mapping[str, Any]) -> None:
        """Something happened to a job; `job` is the full object afterwards (of a deleted one: before)."""
        self._waiting.append((action, orjson.dumps([job]), str(job["id"])))
        self._woken.set()

    def open(self) -> None:
        """Begin to post."""
        self._task = asyncio.create_task(self._run(), name="sandbox webhooks")

    async def close(self) -> None:
        """Stop posting; what waits is kept."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def resume(self) -> None:
        """Post again after a pause."""
        self.paused = False
        self._woken.set()

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session:
            while True:
                self._woken.clear()
                while self._waiting and not self.paused:
                    await self._post(session, *self._waiting[0])
                    self._waiting.popleft()
                await self._woken.wait()

    async def _post(self, session: aiohttp.ClientSession, action: str, data: bytes, job_id: str) -> None:
        form = {"id": job_id, "data": data.decode(), "action": action}
        if self._style == "old":
            form["action"] = _OLD_NAMES.get(action, action)
        else:
            form |= {"account": self._account, "reason": action}
        try:
            async with session.post(self._url, data=form) as reply:
                await reply.read()
                self.tally[str(reply.status)] += 1
        except (aiohttp.ClientError, TimeoutError):
            self.tally["failed"] += 1
