"""Who may read the page and who may act on it, over real HTTP."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.daemon.page import ROUTES
from dispatcher.daemon.page.entry import COOKIE, MOST_TRIES, WRONG_S
from tests.unit.daemon.page.daemons import OWN, Visitor, job, visited

DATA = ("/page/map", "/page/names", "/page/jobs", "/page/job/A", "/page/route?worker=x", "/page/events")
TOKENS: dict[str, Any] = {"read_token": "see.me", "act_token": "touch.me"}


async def log_in(visitor: Visitor, kind: str, token: Any) -> tuple[int, Any]:
    status, document, _ = await visitor.ask("POST", "/page/session", {"for": kind, "token": token}, headers=OWN)
    return status, document


async def test_on_loopback_without_tokens_the_page_reads_and_acts(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        told = await visitor.read("/page/settings")
        status, document, _ = await visitor.ask("POST", "/page/replay", {"keys": ["NONE"]}, headers=OWN)
    assert (told["reads"], told["acts"], told["token"]) == (True, "yes", False)
    assert (status, document) == (200, {"status": 0, "replayed": []})


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "evil.example:8080", "Sec-Fetch-Site": "same-origin"},
        {"Host": "[::bad"},
    ],
    ids=str,
)
async def test_a_page_of_another_site_gets_nothing_under_whatever_name_it_asks(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    """Another origin, and a name that somebody has pointed at this machine."""
    async with visited(tmp_path) as (visitor, _, _):
        for path in DATA:
            status, document, _ = await visitor.ask("GET", path, headers=headers)
            assert status in {400, 403}, path
            assert "account" not in str(document)
        status, _, _ = await visitor.ask("POST", "/page/withdraw", {"keys": ["A"]}, headers=headers | OWN)
    assert status in {400, 403}


async def test_acting_needs_the_pages_own_header_which_no_form_can_send(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        for path in ("/page/replay", "/page/withdraw", "/page/session"):
            status, _, _ = await visitor.ask("POST", path, {"keys": []})
            assert status == 403, path
        assert (await visitor.ask("DELETE", "/page/session"))[0] == 403


async def test_with_tokens_nothing_is_told_before_the_read_token_and_nothing_done_before_the_act_token(
    tmp_path: Path,
) -> None:
    async with visited(tmp_path, **TOKENS) as (visitor, _, _):
        await visitor.create(job("BAD", destinationName="POISON"))
        for path in DATA:
            status, document, _ = await visitor.ask("GET", path)
            assert (status, document) == (401, {"status": 1, "message": "unauthorized", "token": "read"}), path
        told = await visitor.read("/page/settings")
        assert (told["reads"], told["acts"], told["accounts"]) == (False, "off", [])
        assert (await log_in(visitor, "read", "see.me"))[0] == 200
        assert (await visitor.read("/page/jobs"))["jobs"][0]["key"] == "BAD"
        status, document, _ = await visitor.ask("POST", "/page/replay", {"keys": ["BAD"]}, headers=OWN)
        assert (status, document["token"]) == (401, "act")
        assert (await log_in(visitor, "act", "see.me"))[0] == 401
        assert (await log_in(visitor, "act", "touch.me"))[0] == 200
        status, document, _ = await visitor.ask("POST", "/page/replay", {"keys": ["BAD"]}, headers=OWN)
        assert (status, document["replayed"]) == (200, ["BAD"])
        assert (await visitor.ask("DELETE", "/page/session", headers=OWN))[0] == 200
        assert (await visitor.ask("GET", "/page/jobs"))[0] == 401


async def test_the_act_token_alone_opens_nothing(tmp_path: Path) -> None:
    async with visited(tmp_path, **TOKENS) as (visitor, _, _):
        status, document = await log_in(visitor, "act", "touch.me")
        assert (status, document["token"]) == (401, "read")
        assert (await visitor.ask("GET", "/page/jobs"))[0] == 401


async def test_with_a_read_token_and_no_act_token_nobody_acts(tmp_path: Path) -> None:
    async with visited(tmp_path, read_token="see.me") as (visitor, _, _):
        await log_in(visitor, "read", "see.me")
        assert (await visitor.read("/page/settings"))["acts"] == "off"
        status, document, _ = await visitor.ask("POST", "/page/replay", {"keys": ["A"]}, headers=OWN)
    assert (status, "act_token" in document["message"]) == (403, True)


async def test_a_program_reads_with_the_token_in_its_header(tmp_path: Path) -> None:
    async with visited(tmp_path, **TOKENS) as (visitor, _, _):
        right = await visitor.ask("GET", "/page/jobs", headers={"Authorization": "Bearer see.me"})
        wrong = await visitor.ask("GET", "/page/jobs", headers={"Authorization": "Bearer touch.me"})
    assert (right[0], wrong[0]) == (200, 401)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(tmp_path: Path) -> None:
    async with visited(tmp_path, **TOKENS) as (visitor, _, _):
        content = {"for": "read", "token": "see.me"}
        _, _, plain = await visitor.ask("POST", "/page/session", content, headers=OWN)
        secure = {**OWN, "X-Forwarded-Proto": "https"}
        _, _, behind_tls = await visitor.ask("POST", "/page/session", content, headers=secure)
    cookie = plain.headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="))
    assert "see.me" not in cookie
    assert "Secure" not in cookie
    assert "Secure" in behind_tls.headers["Set-Cookie"]


async def test_a_wrong_token_takes_its_time_and_only_so_many_are_tried_at_once(tmp_path: Path) -> None:
    async with visited(tmp_path, **TOKENS) as (visitor, _, _):
        began = time.monotonic()
        answers = await asyncio.gather(*(log_in(visitor, "read", f"guess{n}") for n in range(MOST_TRIES + 5)))
        took_s = time.monotonic() - began
        for odd in (None, 7, ["see.me"], ""):
            assert (await log_in(visitor, "read", odd))[0] == 401
    assert sorted(status for status, _ in answers) == [401] * MOST_TRIES + [429] * 5
    assert took_s >= WRONG_S
    assert {document["message"] for status, document in answers if status == 401} == {"that is not the token"}


async def test_a_name_made_up_for_a_session_is_worth_nothing(tmp_path: Path) -> None:
    async with visited(tmp_path, **TOKENS) as (visitor, _, _):
        for name in ("", "x", "see.me", "a" * 43):
            status, _, _ = await visitor.ask("GET", "/page/jobs", headers={"Cookie": f"{COOKIE}={name}"})
            assert status == 401


async def test_where_others_can_reach_it_the_page_is_off_until_there_is_a_token(tmp_path: Path) -> None:
    async with visited(tmp_path, listen="0.0.0.0:0", accept_key="client") as (visitor, daemon, _):
        visitor.url = daemon.url.replace("0.0.0.0", "127.0.0.1")
        status, shell, _ = await visitor.ask("GET", "/")
        told = await visitor.read("/page/settings")
        answers = [(await visitor.ask("GET", path))[0] for path in DATA]
        log_ins = await log_in(visitor, "read", "")
    assert (status, b"read_token" in shell) == (403, True)
    assert told["reads"] is False
    assert answers == [403] * len(DATA)
    assert log_ins[0] == 403


async def test_bad_bodies_are_refused(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        bad: list[Any] = [[], {"keys": "A"}, {"keys": [1]}, {"keys": ["A"] * 1001}, {}]
        for content in bad:
            assert (await visitor.ask("POST", "/page/replay", content, headers=OWN))[0] == 400, content
        large = {"keys": ["x" * 70_000]}
        assert (await visitor.ask("POST", "/page/replay", large, headers=OWN))[0] == 413


async def test_the_api_key_opens_nothing_of_the_page_and_the_page_asks_for_none(tmp_path: Path) -> None:
    async with visited(tmp_path, accept_key="client", **TOKENS) as (visitor, daemon, _):
        key = {"API-Key": "client"}
        assert (await visitor.ask("GET", "/page/jobs", headers=key))[0] == 401
        assert (await visitor.ask("GET", "/"))[0] == 200
        assert (await visitor.ask("GET", "/jobs"))[0] == 401
        assert daemon.desks
    assert {"/", "/page/events"} <= set(ROUTES)
