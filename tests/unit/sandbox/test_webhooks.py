"""The sandbox posts what happens to jobs, as Hellotracks does, and lets members change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web

from dispatcher.sandbox import SandboxSettings
from tests.unit.sandbox.talk import Open


class Taker:
    """A server that takes webhooks down."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[tuple[dict[str, str], str | None]] = []

    async def take(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.taken.append(({name: str(value) for name, value in form.items()}, request.headers.get("Authorization")))
        return web.Response()

    async def actions(self, count: int) -> list[tuple[str, str]]:
        """Action and key of the first deliveries, as soon as there are so many."""
        async with asyncio.timeout(10):
            while len(self.taken) < count:  # noqa: ASYNC110 - what comes over a socket is looked for
                await asyncio.sleep(0.01)
        return [(form["action"], orjson.loads(form["data"])[0]["uidSecondary"]) for form, _ in self.taken]


@pytest.fixture
async def taker() -> AsyncIterator[Taker]:
    here = Taker()
    app = web.Application()
    app.router.add_post("/hook", here.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    here.url = f"http://127.0.0.1:{site.port}/hook"
    yield here
    await runner.cleanup()


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "day": 20310106} | fields


async def test_everything_that_happens_to_a_job_is_told_in_order(open_sandbox: Open, taker: Taker) -> None:
    talk = await open_sandbox(hook_url=taker.url, hook_key="Bearer x")
    (made,) = await talk.create(job("A"))
    await talk.create(job("A"))
    await talk.create(job("A", priority=9))
    for fields in ({"worker": "w"}, {"tsCheckIn": 1}, {"tsCheckOut": 2}, {"tsDoneSuccess": 3}, {"tsDoneSuccess": 3}):
        await talk.call("editjobs", jobs={made["id"]: fields})
    await talk.call("archivejobs", jobs=[made["id"]])
    await talk.call("restorejobs", jobs=[made["id"]])
    await talk.call("deletejobs", jobs=[made["id"]])
    await talk.create(job("T"), isTemplate=True)
    await talk.create(job("B"))
    story = ["created", "updated", "updated", "checkin", "checkout", "completed", "archived", "updated", "deleted"]
    assert await taker.actions(10) == [*((f"job{what}", "A") for what in story), ("jobcreated", "B")]
    form, shown = taker.taken[0]
    assert (shown, form["id"], form["reason"], set(form)) == (
        "Bearer x",
        made["id"],
        "jobcreated",
        {"account", "id", "data", "action", "reason"},
    )


async def test_the_older_generation_says_less(open_sandbox: Open, taker: Taker) -> None:
    talk = await open_sandbox(hook_url=taker.url, hook_style="old")
    (made,) = await talk.create(job("A"))
    await talk.call("editjobs", jobs={made["id"]: {"tsCheckIn": 1}})
    assert await taker.actions(2) == [("jobcreated", "A"), ("jobchecked", "A")]
    assert ({*taker.taken[0][0]}, taker.taken[0][1]) == ({"id", "data", "action"}, None)


async def test_what_nobody_takes_is_lost_and_counted(open_sandbox: Open) -> None:
    talk = await open_sandbox(hook_url="http://127.0.0.1:9/")
    await talk.create(job("A"))
    webhooks = talk.sandbox.webhooks
    assert webhooks is not None
    async with asyncio.timeout(10):
        while webhooks.waiting:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)
    assert talk.sandbox.stats()["webhooks"] == {"failed": 1}


async def test_members_can_be_changed(open_sandbox: Open) -> None:
    talk = await open_sandbox(fleet_size=2)
    name = (await talk.call("getaccounts"))["accounts"][1]["username"]
    changed = await talk.post("/sandbox/member", {"username": name, "moving": "offduty"})
    assert changed.status == 200
    assert (await talk.call("getaccounts"))["accounts"][1]["moving"] == "offduty"
    for wrong in ({"username": "nobody"}, {"username": name, "uid": "x"}, {}):
        assert (await talk.post("/sandbox/member", wrong)).status == 400


def test_an_unknown_style_is_named() -> None:
    with pytest.raises(ValueError, match="hook_style"):
        SandboxSettings(hook_style="newest")
