"""The API key is on the wire and nowhere else."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import pickle
import traceback
from pathlib import Path
from types import TracebackType

import aiohttp
import pytest
from rich.console import Console
from rich.traceback import Traceback

from dispatcher.errors import ConfigError, DispatcherError, RemoteError
from dispatcher.hellotracks import HellotracksClient, Secret
from dispatcher.model.secret import MaskedText
from tests.unit.hellotracks.loopback import KEY, client_of, closing_after, free_port, job, read_request, reply, serving

HALF = KEY[:12]
"""Half of the key is too much as well: texts are cut somewhere."""


def without_the_tests_frames(frames: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is not a test's own (those know the key)."""
    while frames is not None and "tests" in Path(frames.tb_frame.f_code.co_filename).parts:
        frames = frames.tb_next
    return frames


def everything_shown(error: BaseException, *, with_locals: bool) -> str:
    """All texts that a log or an error reporter can make of an error: its chain, its frames, their locals."""
    shown: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        waiting += (link.__cause__, link.__context__)
        link.__traceback__ = without_the_tests_frames(link.__traceback__)
        shown.append(f"{link!r} {link} {vars(link)!r} {link.args!r}")
    text = io.StringIO()
    Console(file=text, width=500).print(
        Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=with_locals, locals_max_string=100_000
        )
    )
    frames = traceback.TracebackException.from_exception(error, capture_locals=with_locals)
    return "".join((*shown, text.getvalue(), *frames.format()))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        reply(b'{"status":1}'),
        reply(b"<p>hello</p>"),
        reply(b"", status="401 Unauthorized"),
        reply(b"", status="503 Away"),
    ],
)
async def test_no_error_shows_it(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Not even with the locals of every frame, as some error reporters print them."""
    caplog.set_level(logging.DEBUG)
    async with serving(closing_after(answer)) as url, client_of(url) as client:
        for call in (client.create_jobs([job("A")]), client.find_job("A"), client.find_in_day(0, {"A"})):
            with pytest.raises(RemoteError) as caught:
                await call
            assert HALF not in everything_shown(caught.value, with_locals=True)
    assert HALF not in caplog.text
    assert "dispatcher.hellotracks" in caplog.text


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        ("200 OK", "", json.dumps({"status": 1, "message": f"{'x' * 280} wrong key {KEY}"})),
        ("200 OK", "", json.dumps({"status": KEY})),
        ("200 OK", "", json.dumps({"error": {"message": KEY}})),
        ("200 OK", "", json.dumps({"errors": [KEY]})),
        ("200 OK", "", f"<p>{KEY}</p>"),
        ("200 OK", "", "y" * 290 + KEY),
        ("400 Bad Request", "", json.dumps({"message": f"{'x' * 290}{KEY}"})),
        ("401 Unauthorized", "", f"no such key: {KEY}"),
        ("500 Oops", "", f"<pre>{KEY}</pre>"),
        ("302 Found", f"Location: https://x.example/{KEY}?key={KEY}\r\n", ""),
        ("200 OK", f"X: {KEY * 1000}\r\n", ""),
    ],
    ids=range(11),
)
async def test_a_server_that_repeats_it_is_not_quoted(
    status: str, headers: str, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = reply(body.encode(), status=status, headers=headers)
    async with serving(closing_after(answer)) as url, client_of(url) as client:
        for call in (client.create_jobs([job("A")]), client.find_job("A"), client.find_in_day(0, {"A"})):
            with pytest.raises(RemoteError) as caught:
                await call
            assert HALF not in everything_shown(caught.value, with_locals=False)
    assert HALF not in caplog.text


async def test_a_refused_connection_does_not_show_it() -> None:
    async with client_of(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(RemoteError) as caught:
            await client.get_accounts()
    assert HALF not in everything_shown(caught.value, with_locals=True)


async def test_a_cancelled_call_does_not_show_it() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with serving(silent) as url, client_of(url) as client:
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(client.get_accounts(), 0.1)
    assert HALF not in everything_shown(caught.value, with_locals=True)


async def test_the_server_gets_it_and_the_calls_are_logged_without_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "dispatcher.hellotracks")
    seen = b""

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen = await read_request(reader)
        writer.write(reply(b'{"status":0,"accounts":[]}'))

    async with serving(look) as url, client_of(url) as client:
        await client.get_accounts()
    assert f"API-Key: {KEY}\r\n".encode() in seen
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]
    assert caplog.messages[0].startswith("getaccounts: 200 in ")


def test_a_secret_is_printed_as_stars_only() -> None:
    secret = Secret(KEY)
    assert {str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret, format(secret)} == {"***"}  # noqa: UP031
    assert f"{secret:>5}" == "  ***"
    assert repr([secret]) == "[***]"
    assert secret.reveal() == KEY
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_secrets_are_equal_by_content() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


def test_a_masked_header_is_sent_as_it_is_and_shown_as_stars() -> None:
    text = MaskedText(KEY)
    assert str(text) == KEY
    assert repr({"API-Key": text}) == "{'API-Key': '***'}"


def test_the_client_shows_its_place_and_not_its_key() -> None:
    client = client_of("https://api.hellotracks.com/api")
    assert repr(client) == "HellotracksClient(https://api.hellotracks.com, closed)"
    assert KEY not in repr(vars(client))


@pytest.mark.parametrize("key", ["", "  \n", "two words", "line\nbreak", "naïve", "tab\there"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HellotracksClient(base_url="https://api.hellotracks.com", api_key=key)
    assert not key.strip() or key not in str(caught.value)


def test_blanks_around_a_key_from_a_file_do_not_count() -> None:
    client = HellotracksClient(base_url="https://api.hellotracks.com", api_key=Secret(f" {KEY}\n"))
    assert client._api_key == Secret(KEY)


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.hellotracks.com",
        "ftp://api.hellotracks.com",
        "https://",
        "https:///api",
        "https://host:port/",
        "https://host:99999",
        "https://ann:hunter2@host",
        "https://host/api?key=hunter2",
        "https://host/#hunter2",
    ],
)
def test_a_base_url_that_cannot_be_used_is_a_config_error(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as caught:
        HellotracksClient(base_url=base_url, api_key=KEY)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"request_timeout_s": 0.0},
        {"request_timeout_s": float("nan")},
        {"connect_timeout_s": float("inf")},
        {"max_connections": 0},
        {"user_agent": "a\r\nX: y"},
    ],
)
def test_settings_that_cannot_be_used_are_named(setting: dict[str, float | str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        HellotracksClient(base_url="https://api.hellotracks.com", api_key=KEY, **setting)  # type: ignore[arg-type]


async def test_every_time_out_is_set() -> None:
    timeout = client_of("http://127.0.0.1:1")._timeout
    assert isinstance(timeout, aiohttp.ClientTimeout)
    assert (timeout.total, timeout.sock_read) == (5.0, 5.0)
    assert (timeout.connect, timeout.sock_connect) == (2.0, 2.0)
    assert timeout.ceil_threshold > 5.0, "aiohttp would round it up"


def test_the_errors_are_the_dispatchers() -> None:
    assert issubclass(RemoteError, DispatcherError)
