"""Webhooks at the daemon: who may send them, in which forms they come, and what they do."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest

from dispatcher.daemon import Daemon
from dispatcher.daemon.hooks import carries_key, read_deliveries
from dispatcher.daemon.reply import Refusal
from dispatcher.model.secret import Secret
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings import Settings
from tests.unit.daemon.test_daemon import settings, until
from tests.unit.pipeline.living import edit, job, member, route

KEY = {"Authorization": "Bearer opensesame"}
STOP = job("A", worker="ann", id="1", tsSaved=1000)
FORM = {"account": "acme", "id": "1", "data": orjson.dumps([STOP]).decode(), "action": "jobcreated", "reason": "x"}


def hooked(tmp_path: Path, sandbox: Sandbox, **more: Any) -> Settings:
    plain: dict[str, Any] = {"policy": "nearest", "hook_key": "opensesame", "accept_key": "clients"}
    return settings(tmp_path, sandbox.url, **(plain | {"fleet_sync_s": 600, "routes_sync_s": 600} | more))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(
        SandboxSettings(members=[member("ann"), member("bob", 46.0)], hook_key="opensesame")
    ) as open_one:
        yield open_one


async def post(daemon: Daemon, path: str, **request: Any) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{daemon.url}{path}", **({"headers": KEY} | request)) as reply,
    ):
        return reply.status, await reply.read()


FORMS: list[dict[str, Any]] = [
    {"data": FORM},
    {"data": urlencode(FORM).encode()},
    {"data": {name: FORM[name] for name in ("id", "data", "action")}},
    {"data": FORM | {"action": "", "reason": "jobcreated"}},
    {"data": FORM | {"data": orjson.dumps(STOP).decode()}},
    {"json": FORM},
    {"json": FORM | {"data": [STOP]}},
    {"json": [FORM | {"data": STOP}]},
    {"data": orjson.dumps({"action": "job_created", "data": STOP})},
]


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_that_is_documented_or_likely_is_understood(
    tmp_path: Path, sandbox: Sandbox, form: dict[str, Any]
) -> None:
    async with Daemon(hooked(tmp_path, sandbox)) as daemon:
        d = daemon.desks["default"].dispatcher
        assert await d.pipeline.fleet.ready((STOP["day"],))
        assert await post(daemon, "/hooks/default", **form) == (200, b'{"status":0}')

        async def there() -> bool:
            return await route(d, "ann") == ["A"]

        await until(there)


async def test_multipart_forms_are_forms_too(tmp_path: Path, sandbox: Sandbox) -> None:
    with aiohttp.MultipartWriter("form-data") as parts:
        for name, value in FORM.items():
            parts.append(value).set_content_disposition("form-data", name=name)
    async with Daemon(hooked(tmp_path, sandbox)) as daemon:
        d = daemon.desks["default"].dispatcher
        assert await d.pipeline.fleet.ready((STOP["day"],))
        assert (await post(daemon, "/hooks/default", data=parts))[0] == 200

        async def there() -> bool:
            return await route(d, "ann") == ["A"]

        await until(there)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"API-Key": "clients"}, {"X-Key": "opensesame"}],
)
async def test_without_the_secret_nobody_is_heard(tmp_path: Path, sandbox: Sandbox, headers: dict[str, str]) -> None:
    async with Daemon(hooked(tmp_path, sandbox)) as daemon:
        status, body = await post(daemon, "/hooks/default", headers=headers, data=FORM)
    assert (status, orjson.loads(body)) == (401, {"status": 1, "message": "unauthorized"})


async def test_the_header_can_be_chosen_and_the_bare_secret_is_enough(tmp_path: Path, sandbox: Sandbox) -> None:
    async with Daemon(hooked(tmp_path, sandbox, hook_header="X-Hook")) as daemon:
        assert (await post(daemon, "/hooks/default", headers={"X-Hook": "opensesame"}, data=FORM))[0] == 200
        assert (await post(daemon, "/hooks/default", headers=KEY, data=FORM))[0] == 401


async def test_switched_off_unknown_and_misspelt_look_the_same(tmp_path: Path, sandbox: Sandbox) -> None:
    async with Daemon(hooked(tmp_path, sandbox, hook_key="")) as daemon:
        off = await post(daemon, "/hooks/default", data=FORM)
    async with Daemon(hooked(tmp_path, sandbox)) as daemon:
        unknown = await post(daemon, "/hooks/nobody", data=FORM)
        nowhere = await post(daemon, "/hook/default", headers={"API-Key": "clients"}, data=FORM)
    assert off == unknown == nowhere
    assert off[0] == 404


@pytest.mark.parametrize(
    "form",
    [
        {"data": b"{"},
        {"data": FORM | {"data": "{"}},
        {"data": FORM | {"data": "[1]"}},
        {"data": FORM | {"action": "", "reason": ""}},
        {"json": {"action": 5}},
        {"json": [5]},
        {"data": b"%ff=%fe"},
        {"data": b"&".join(b"a=b" for _ in range(200))},
    ],
)
async def test_what_cannot_be_read_is_refused(tmp_path: Path, sandbox: Sandbox, form: dict[str, Any]) -> None:
    async with Daemon(hooked(tmp_path, sandbox)) as daemon:
        assert (await post(daemon, "/hooks/default", **form))[0] == 400


async def test_oversized_deliveries_other_methods_and_actions_of_no_interest(tmp_path: Path, sandbox: Sandbox) -> None:
    async with Daemon(hooked(tmp_path, sandbox)) as daemon:
        assert (await post(daemon, "/hooks/default", data=io.BytesIO(b"x" * (1024 * 1024 + 1))))[0] == 413
        for action in ("alerttriggered", "placecheckin", "placechecked", "somethingnew"):
            assert (await post(daemon, "/hooks/default", data=FORM | {"action": action}))[0] == 200
        async with aiohttp.ClientSession() as http, http.get(f"{daemon.url}/hooks/default", headers=KEY) as reply:
            assert (reply.status, reply.headers["Allow"]) == (405, "POST")
        assert daemon.desks["default"].dispatcher.pipeline.events.tally == {}


async def test_under_the_policy_none_webhooks_are_taken_and_nothing_is_read(tmp_path: Path, sandbox: Sandbox) -> None:
    async with Daemon(hooked(tmp_path, sandbox, policy="none")) as daemon:
        assert (await post(daemon, "/hooks/default", data=FORM))[0] == 200
        events = daemon.desks["default"].dispatcher.pipeline.events

        async def applied() -> bool:
            return not events.waiting

        await until(applied)
    assert sandbox.stats()["requests"] == {}


@pytest.mark.parametrize("style", ["new", "old"])
async def test_what_happens_at_the_server_arrives_by_itself(tmp_path: Path, style: str) -> None:
    """The sandbox posts webhooks as Hellotracks does: a job of ours, given to another member, done."""
    crew = [member("ann"), member("bob", 46.0)]
    async with (
        Sandbox(SandboxSettings(members=crew, hook_key="opensesame", hook_style=style)) as sandbox,
        Daemon(hooked(tmp_path, sandbox)) as daemon,
    ):
        sandbox.hook_to(f"{daemon.url}/hooks/default")
        d = daemon.desks["default"].dispatcher
        await d.wait(await d.submit([job("A"), job("B")]), timeout_s=20)

        async def at(wanted: tuple[list[str], list[str]]) -> bool:
            return (await route(d, "ann"), await route(d, "bob")) == wanted

        for key, fields, wanted in (
            ("A", {"worker": "bob"}, (["B"], ["A"])),
            ("B", {"tsCheckIn": 5}, (["B"], ["A"])),
            ("B", {"tsDoneSuccess": 6}, ([], ["A"])),
        ):
            await edit(sandbox, key, **fields)
            await until(lambda wanted=wanted: at(wanted))  # type: ignore[misc]
        assert sandbox.webhooks is not None
        assert set(sandbox.webhooks.tally) == {"200"}


async def test_what_a_client_changes_through_the_daemon_shows_soon(tmp_path: Path, sandbox: Sandbox) -> None:
    """Without any webhook: a call that was passed on has the day routes read anew."""
    async with Daemon(hooked(tmp_path, sandbox)) as daemon:
        d = daemon.desks["default"].dispatcher
        await d.wait(await d.submit([job("A")]), timeout_s=20)
        edited = {"data": {"jobs": {sandbox.jobs["A"]["id"]: {"worker": "bob"}}}}
        assert (await post(daemon, "/api/editjobs", headers={"API-Key": "clients"}, json=edited))[0] == 200

        async def moved() -> bool:
            return (await route(d, "ann"), await route(d, "bob")) == ([], ["A"])

        await until(moved)


def test_a_key_is_good_alone_and_behind_bearer_and_otherwise_not() -> None:
    key = Secret("opensesame")
    assert all(carries_key([value], key) for value in ("opensesame", " Bearer opensesame ", "bearer  opensesame"))
    assert not any(carries_key([value], key) for value in ("", "Bearer", "Basic opensesame", "opensesame2", "\udcff"))
    assert carries_key(["wrong", "opensesame"], key)
    assert not carries_key([], key)


@pytest.mark.parametrize("body", [b"", b"a", b"\x00" * 50, b"[" * 100_000, b"--x\r\n", bytes(range(256))])
@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=x"])
def test_no_body_at_all_breaks_the_reader(body: bytes, kind: str) -> None:
    try:
        read_deliveries(body, kind)
    except Refusal as refusal:
        assert refusal.http_status == 400  # noqa: PT017 - either is right: refused, or nothing found
