"""What each reply is taken to mean. `aioresponses` stands in for the server: only status, headers and content count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse
from aioresponses import aioresponses

from dispatcher.errors import Denied, OutcomeUnknown, Rejected, RemoteError, Throttled
from dispatcher.hellotracks import HellotracksClient
from tests.unit.hellotracks.loopback import KEY, client_of, created, job

BASE = "https://api.hellotracks.com"
CREATE = f"{BASE}/api/createjobs"


class _Sent:
    output_size = 0


class Response(ClientResponse):
    """aioresponses builds responses without the `stream_writer` that aiohttp asks for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"stream_writer": _Sent(), **kwargs})


@pytest.fixture
def server() -> Iterator[aioresponses]:
    with aioresponses() as mock:
        yield mock


async def refused(server: aioresponses, **answer: Any) -> RemoteError:
    """The error that createjobs raises for this answer."""
    server.post(CREATE, response_class=Response, **answer)
    async with client_of(BASE) as client:
        with pytest.raises(RemoteError) as caught:
            await client.create_jobs([job("A")])
    return caught.value


@pytest.mark.parametrize("status", [0, "0", 0.0])
async def test_status_zero_is_success_however_it_is_written(server: aioresponses, status: object) -> None:
    body = orjson.dumps({"status": status, "jobs": [{"id": "1", "uidSecondary": "A", "worker": "ann"}]})
    server.post(CREATE, body=body, response_class=Response)
    async with client_of(BASE) as client:
        (answer,) = await client.create_jobs([job("A")])
    assert answer is not None
    assert (answer.id, answer.key, answer.worker) == ("1", "A", "ann")


@pytest.mark.parametrize("code", [200, 201, 202])
async def test_any_2xx_with_status_zero_is_success(server: aioresponses, code: int) -> None:
    server.post(CREATE, status=code, body=created("A"), content_type="text/html", response_class=Response)
    async with client_of(BASE) as client:
        assert None not in await client.create_jobs([job("A")])


@pytest.mark.parametrize(("status", "number"), [(1, 1), ("17", 17), (-3, -3)])
async def test_another_status_is_a_refusal_in_the_servers_words(
    server: aioresponses, status: object, number: int
) -> None:
    error = await refused(server, body=orjson.dumps({"status": status, "message": "bad\x00 job\n\x1b[31m at  3"}))
    assert isinstance(error, Rejected)
    assert error.status == number
    assert error.remote_words == "bad job [31m at 3"
    assert error.http_status == 200
    assert not error.too_large


async def test_a_refusal_without_words_has_words_all_the_same(server: aioresponses) -> None:
    error = await refused(server, body=b'{"status":4}')
    assert isinstance(error, Rejected)
    assert error.remote_words == "createjobs: refused with status 4"


async def test_words_are_cut_at_300_characters(server: aioresponses) -> None:
    error = await refused(server, body=orjson.dumps({"status": 1, "message": "é" * 10_000}))
    assert isinstance(error, Rejected)
    assert len(error.remote_words) == 300


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<html><body>Welcome</body></html>",
        b"OK",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"jobs":[]}',
        b'{"status":null,"jobs":[]}',
        b'{"status":true,"jobs":[]}',
        b'{"status":"fine","jobs":[]}',
        b'{"status":[0],"jobs":[]}',
        b'{"status":0}',
        b'{"status":0,"jobs":null}',
        b'{"status":0,"jobs":{"a":{}}}',
        b'{"status":0,"jobs":"none"}',
        created("A")[:-1],
        created("A")[:40],
        b'{"status":0,"jobs":[' + b"[" * 100_000,
        b"\xff\xfe\x00{",
    ],
)
async def test_a_reply_that_is_not_the_apis_leaves_the_outcome_unknown(server: aioresponses, body: bytes) -> None:
    error = await refused(server, body=body)
    assert isinstance(error, OutcomeUnknown)
    assert error.server_done
    assert not error.backpressure
    assert error.http_status == 200
    assert len(str(error)) < 420


async def test_a_page_of_html_is_quoted_by_its_text(server: aioresponses) -> None:
    page = (
        b"<html><head><title>x</title><style>p{}</style></head><body><h1>Sign in</h1> to the <b>net</b></body></html>"
    )
    error = await refused(server, body=page, content_type="text/html")
    assert str(error) == "createjobs: HTTP 200 with no JSON: Sign in to the net"


@pytest.mark.parametrize("code", [401, 403])
async def test_a_wrong_key_is_denied(server: aioresponses, code: int) -> None:
    error = await refused(server, status=code, body=b'{"error":{"message":"no"}}')
    assert isinstance(error, Denied)
    assert error.http_status == code
    assert str(error).endswith(": no")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_stops_the_sending(server: aioresponses, code: int) -> None:
    """The key would go along to a place nobody named, and a POST would turn into a GET."""
    error = await refused(server, status=code, headers={"Location": f"https://elsewhere.example/login?key={KEY}"})
    assert isinstance(error, Denied)
    assert "https://elsewhere.example/login" in str(error)
    assert KEY not in str(error)


@pytest.mark.parametrize("code", [400, 409, 410, 422, 451])
async def test_other_4xx_are_refusals(server: aioresponses, code: int) -> None:
    error = await refused(server, status=code, body=b'{"message":"Unknown field job.foo"}')
    assert isinstance(error, Rejected)
    assert error.http_status == code
    assert error.remote_words == "Unknown field job.foo"
    assert not error.too_large


@pytest.mark.parametrize("code", [404, 405])
async def test_an_address_that_is_not_the_apis_blames_no_job(server: aioresponses, code: int) -> None:
    error = await refused(server, status=code, body=b"nothing here")
    assert isinstance(error, Denied)
    assert not error.about_key
    assert "base_url" in str(error)


async def test_413_means_the_batch_not_a_job(server: aioresponses) -> None:
    error = await refused(server, status=413)
    assert isinstance(error, Rejected)
    assert error.too_large


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("1.5", 1.5), (None, None), ("soon", None)])
async def test_429_carries_the_servers_wish(server: aioresponses, header: str | None, seconds: float | None) -> None:
    error = await refused(server, status=429, headers={"Retry-After": header} if header else {})
    assert isinstance(error, Throttled)
    assert error.retry_after_s == seconds
    assert error.http_status == 429


async def test_503_is_backpressure_with_the_servers_wish(server: aioresponses) -> None:
    error = await refused(server, status=503, headers={"Retry-After": "12"})
    assert isinstance(error, OutcomeUnknown)
    assert error.backpressure
    assert error.server_done
    assert error.retry_after_s == 12.0


async def test_408_is_backpressure(server: aioresponses) -> None:
    error = await refused(server, status=408)
    assert isinstance(error, OutcomeUnknown)
    assert error.backpressure


@pytest.mark.parametrize("code", [500, 501, 502, 504, 520, 599])
async def test_other_5xx_leave_the_outcome_unknown(server: aioresponses, code: int) -> None:
    error = await refused(server, status=code, body=b"<h1>oops</h1>")
    assert isinstance(error, OutcomeUnknown)
    assert not error.backpressure
    assert error.server_done
    assert error.http_status == code


async def test_an_http_date_is_counted_from_the_servers_own_clock(server: aioresponses) -> None:
    """The server's clock is an hour behind this one: its own `Date` header says how long it means."""
    error = await refused(
        server,
        status=429,
        headers={"Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"},
    )
    assert isinstance(error, Throttled)
    assert error.retry_after_s == 30.0


async def test_reads_raise_the_same_errors(server: aioresponses) -> None:
    for action in ("getjobs", "getaccounts", "getcompany"):
        server.post(f"{BASE}/api/{action}", status=429, response_class=Response)
        server.post(f"{BASE}/api/{action}", body=b'{"status":0}', response_class=Response)
    async with client_of(BASE) as client:
        for read in (client.get_jobs, client.get_accounts, client.get_company):
            with pytest.raises(Throttled):
                await read()
            with pytest.raises(OutcomeUnknown):
                await read()


@pytest.mark.parametrize(
    "base_url", [BASE, f"{BASE}/", f"{BASE}/api", f"{BASE}/api/", f"  {BASE}/api\n", "HTTPS://API.hellotracks.com"]
)
async def test_the_base_url_may_end_in_api_or_a_slash(server: aioresponses, base_url: str) -> None:
    server.post(f"{BASE}/api/getaccounts", body=b'{"status":0,"accounts":[{"uid":"u"}, 7]}', response_class=Response)
    async with HellotracksClient(base_url=base_url, api_key=KEY) as client:
        assert await client.get_accounts() == [{"uid": "u"}]
