"""Clients that others wrote for Hellotracks work unchanged: the documentation's own lines, and plain `requests`."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from tests.acceptance.command import get, sandbox_process
from tests.acceptance.serving import DAY, Served, daemon_process

API = "https://api.hellotracks.com"

FIRST_LINE = """curl -X POST https://api.hellotracks.com/api/createjobs \\
--header 'API-Key: ...' -d \\
'
{
"data": {
"jobs": [
{
"destinationLat": 37.7749,
"destinationLng": -122.4194,
"destinationName": "Job in San Francisco created via API",
"worker": "username@company.com",
"day": 20231110
}
]
}
}
'
"""
SECOND_LINE = """curl -X POST https://api.hellotracks.com/api/createjobs --header 'API-Key: ...' -d '
{
"data": {
"jobs": [
{
"destinationLat": 37.7749,
"destinationLng": 122.4194,
"destinationName": "This is a new job in San Francisco created via API"
}
]
}
}
'
"""
"""Both as the documentation of createjobs has them."""

DOCUMENTED_REPLY = """
assigneeName:"" assigneeUsername:"" carryOver:1 contactEmail:"" contactName:"" contactPhone:"" confirmationEmails:""
customFields:[] day:0 destinationLat:37.7749 destinationLng:122.4194 destinationText:"" dispatcherName:""
dispatcherUid:"" dispatcherUrl:"" inputFormConfig:"" itemsToDropoff:0 itemsToPickup:0 label:"" linkedForms:""
linkedZones:"" manualChecks:"" number:0 onSiteSeconds:720 orderId:0 placeName:"" placeUid:"" placeUrl:"" priority:5
radius:100 receiverUid:"" scheduledEnd:0 scheduledStart:0 signatureName:"" signaturePdf:"" signatureSvg:"" teamId:0
textDispatcher:"" textReceiver:"" tsAccepted:0 tsAssigned:0 tsCheckIn:0 tsCheckNFC1:0 tsCheckNFC2:0 tsCheckOut:0
tsDoneFailed:0 tsDoneSuccess:0 tsRejected:0 tsScheduled:0 tsSignature:0 type:0 windowEnd:2400 windowStart:0 worker:""
workerName:""
"""
"""The job of its reply to the second line, without what differs each time (id, tsCreated, tsSaved) and the name."""


@contextmanager
def daemon_before_hellotracks(tmp_path: Path, key: str) -> Iterator[tuple[Served, str]]:
    """A daemon whose clients have the key, and the URL of the server behind it, which knows another one."""
    with (
        sandbox_process("--api-key", "test-key") as url,
        daemon_process(tmp_path, url, DISPATCHER_ACCEPT_KEY=key) as daemon,
    ):
        yield daemon, url


def body_of(line: str) -> bytes:
    """What the shell hands to curl behind `-d`."""
    return line.partition("-d")[2].partition("'")[2].rpartition("'")[0].encode()


def check_documented(line: str, document: Any) -> None:
    """The reply is what the documentation promises for this line."""
    (sent,) = orjson.loads(body_of(line))["data"]["jobs"]
    (created,) = document["jobs"]
    assert document["status"] == 0
    assert created["id"]
    assert sent.items() <= created.items()
    promised = {
        name: json.loads(value) for name, value in re.findall(r"(\w+):(\S+)", DOCUMENTED_REPLY)
    } | {"assigneeUsername": sent.get("worker", ""), "worker": sent.get("worker", "")}  # fmt: skip
    if "worker" in sent:
        del promised["tsAssigned"]
    promised |= sent
    assert {name: created[name] for name in promised} == promised
    assert created["tsCreated"] > 1_600_000_000_000


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
@pytest.mark.parametrize("line", [FIRST_LINE, SECOND_LINE])
def test_the_documentations_curl_lines_work_unchanged_but_for_the_host(tmp_path: Path, line: str) -> None:
    """The shell runs them as they stand there; even the key in them is the daemon's."""
    with daemon_before_hellotracks(tmp_path, key="...") as (daemon, url):
        command = line.replace(API, daemon.url)
        assert command != line
        ended = subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=40, cwd=tmp_path)
        keys = get(f"{url}/sandbox/keys")["keys"]
    document = orjson.loads(ended.stdout)
    check_documented(line, document)
    assert list(keys) == [document["jobs"][0]["uidSecondary"]]


@pytest.mark.parametrize("line", [FIRST_LINE, SECOND_LINE])
@pytest.mark.parametrize("expects", [b"", b"Expect: 100-continue\r\n"])
def test_the_same_bytes_that_curl_sends_are_answered(tmp_path: Path, line: str, expects: bytes) -> None:
    """Byte for byte but for the host, on a plain socket; and with the question that curl puts before long bodies."""
    body = body_of(line)
    with (
        daemon_before_hellotracks(tmp_path, key="...") as (daemon, _),
        socket.create_connection(daemon.netloc.split(":"), timeout=30) as client,  # type: ignore[arg-type]
    ):
        client.sendall(
            b"POST /api/createjobs HTTP/1.1\r\nHost: %b\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nAPI-Key: ...\r\n"
            b"Content-Length: %d\r\nContent-Type: application/x-www-form-urlencoded\r\n%b\r\n"
            % (daemon.netloc.encode(), len(body), expects)
        )
        reader = client.makefile("rb")
        if expects:
            assert reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert reader.readline() == b"\r\n"
        client.sendall(body)
        assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
        headers = dict(name.lower().split(b": ", 1) for name in iter(reader.readline, b"\r\n"))
        document = orjson.loads(reader.read(int(headers[b"content-length"])))
    check_documented(line, document)


class Integration:
    """What a company wrote against Hellotracks' API long before this project: it knows a base URL and a key."""

    def __init__(self, base_url: str, key: str, *, by_header: bool) -> None:
        self.base_url = base_url
        self.key = key
        self.session = requests.Session()
        if by_header:
            self.session.headers["API-Key"] = key
        self.by_header = by_header

    def call(self, action: str, data: dict[str, Any]) -> Any:
        envelope: dict[str, Any] = {"ver": 2, "data": data}
        if not self.by_header:
            envelope["auth"] = {"usr": "boss@company.com", "key": self.key}
        reply = self.session.post(
            f"{self.base_url}/api/{action}",
            data=json.dumps(envelope),
            headers={"Content-Type": "text/plain; charset=utf-8"},
            timeout=40,
        )
        reply.raise_for_status()
        document = reply.json()
        assert document["status"] == 0, document
        return document

    def deliver(self, orders: list[str]) -> list[str]:
        """A day's work: create, read back, change, delete; returns the titles that stand at the end."""
        jobs = [
            {
                "uidSecondary": order,
                "destinationName": f"Lieferung {order} – Tür & Tor",
                "destinationLat": 46.06,
                "destinationLng": 13.25,
                "day": DAY,
                "custom_floor": "3",
                "customFields": [{"key": "bell", "val": "Müller"}],
            }
            for order in orders
        ]
        created = self.call("createjobs", {"jobs": jobs, "autoassign": "true", "sendRouteChange": "false"})["jobs"]
        assert [job["uidSecondary"] for job in created] == orders
        found = {job["id"]: job for job in self.call("getjobs", {"day": DAY, "worker": "*"})["jobs"]}
        assert {job["id"] for job in created} <= found.keys()
        first, last = created[0]["id"], created[-1]["id"]
        self.call("editjobs", {"jobs": {first: {"destinationName": "Changed"}}})
        self.call("deletejobs", {"jobs": [last]})
        left = self.call("getjobs", {"day": DAY, "worker": "*"})["jobs"]
        return sorted(job["destinationName"] for job in left if job["uidSecondary"] in orders)


@pytest.mark.parametrize("by_header", [True, False], ids=["key in the header", "key in the body"])
def test_an_integration_changes_its_base_url_and_nothing_else(tmp_path: Path, by_header: bool) -> None:
    """The same program against the server and the daemon before it: text/plain, `auth`, `ver`, booleans as texts."""
    with daemon_before_hellotracks(tmp_path, key="of-the-client") as (daemon, url):
        directly = Integration(url, "test-key", by_header=by_header).deliver(["D-1", "D-2", "D-3"])
        through = Integration(daemon.url, "of-the-client", by_header=by_header).deliver(["T-1", "T-2", "T-3"])
        stats = get(f"{url}/sandbox/stats")
        with pytest.raises(requests.HTTPError, match="401"):
            Integration(daemon.url, "wrong", by_header=by_header).deliver(["X-1"])
    assert [title.replace("T-", "D-") for title in through] == directly
    assert directly == ["Changed", "Lieferung D-2 – Tür & Tor"]
    assert stats["autoassign_requests"] == 2


def test_the_ways_in_which_requests_sends_a_body_are_all_taken(tmp_path: Path) -> None:
    content = {"data": {"jobs": [{"uidSecondary": "A", "destinationLat": 46.06, "destinationLng": 13.25}]}}
    text = json.dumps(content)
    ways: list[dict[str, Any]] = [
        {"json": content},
        {"data": text},
        {"data": text.encode("utf-8")},
        {"data": b"\n\t" + text.encode() + b"\r\n\n"},
        {"data": iter([text[:20].encode(), text[20:].encode()])},
        {"data": text, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"data": text, "headers": {"Content-Type": "application/json; charset=UTF-8", "Accept": "text/html"}},
        {"data": text, "headers": {"Accept-Encoding": "gzip, br", "Connection": "close", "Cookie": "a=b"}},
    ]
    with daemon_before_hellotracks(tmp_path, key="k") as (daemon, url):
        replies = [
            requests.post(
                f"{daemon.url}/api/createjobs",
                timeout=40,
                **(way | {"headers": {"API-Key": "k"} | way.get("headers", {})}),
            )
            for way in ways
        ]
        creates = get(f"{url}/sandbox/stats")["creates"]
    assert [reply.status_code for reply in replies] == [200] * len(ways)
    assert len({reply.json()["jobs"][0]["id"] for reply in replies}) == 1
    assert creates == 1
