"""What each call puts on the wire and what it makes of a good reply. Over real sockets."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import orjson
import pytest

from dispatcher.errors import OutcomeUnknown, Rejected
from tests.unit.hellotracks.loopback import (
    KEY,
    Script,
    answering,
    client_of,
    created,
    job,
    read_request,
    reply,
    serving,
)


class Recorder:
    """A server that answers everything alike and keeps the requests."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []

    @property
    def script(self) -> Script:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                self.requests.append(await read_request(reader))
                writer.write(reply(self.answer))

        return run

    @property
    def line(self) -> str:
        return self.requests[-1].split(b"\r\n", 1)[0].decode()

    @property
    def data(self) -> Any:
        return orjson.loads(self.requests[-1].split(b"\r\n\r\n", 1)[1])["data"]


async def test_createjobs_is_sent_as_documented() -> None:
    server = Recorder(created("A", "B"))
    bodies = [job("A"), b'{"uidSecondary":"B","destinationLat":45.4640000,"extra":"\xc3\xa9"}']
    async with serving(server.script) as url, client_of(url) as client:
        await client.create_jobs(bodies)
    head = server.requests[0].split(b"\r\n\r\n", 1)[0].decode()
    assert server.line == "POST /api/createjobs HTTP/1.1"
    assert f"API-Key: {KEY}" in head
    assert "Content-Type: application/json" in head
    assert "User-Agent: hellotracks-dispatcher" in head
    assert server.requests[0].endswith(b'{"data":{"jobs":[' + b",".join(bodies) + b"]}}")


async def test_switches_go_along_only_when_they_are_on() -> None:
    server = Recorder(created("A"))
    async with serving(server.script) as url, client_of(url) as client:
        await client.create_jobs([job("A")], autoassign=True)
        assert server.data == {"jobs": [orjson.loads(job("A"))], "autoassign": True}
        await client.create_jobs([job("A")], send_route_change=True, is_template=True)
        assert server.data == {"jobs": [orjson.loads(job("A"))], "sendRouteChange": True, "isTemplate": True}


async def test_a_body_that_is_no_job_is_refused_before_anything_is_sent() -> None:
    server = Recorder(created("A"))
    async with serving(server.script) as url, client_of(url) as client:
        for body in (b"", b"[]", b'{"uidSecondary":"A"', b'{"uidSecondary":["A"]}'):
            with pytest.raises(ValueError, match="not a job"):
                await client.create_jobs([job("A"), body])
    assert server.requests == []


async def test_getjobs_asks_for_a_day_a_worker_or_ids() -> None:
    server = Recorder(b'{"status":0,"jobs":[{"id":"1"},null,{"id":"2"}]}')
    async with serving(server.script) as url, client_of(url) as client:
        assert await client.get_jobs(day=20231110) == [{"id": "1"}, {"id": "2"}]
        assert server.line == "POST /api/getjobs HTTP/1.1"
        assert server.data == {"day": 20231110, "worker": "*"}
        await client.get_jobs(worker="ann@acme.com")
        assert server.data == {"worker": "ann@acme.com"}
        await client.get_jobs(day=0, worker=None)
        assert server.data == {"day": 0}
        await client.get_jobs(ids=["x", "y"])
        assert server.data == {"ids": ["x", "y"]}


async def test_find_in_day_returns_the_wanted_keys_only() -> None:
    jobs = [
        {"id": f"i{n}", "uidSecondary": f"K{n}", "day": 20231110, "customFields": [{"key": "}", "val": "{"}]}
        for n in range(2000)
    ]
    jobs += [{"id": "old", "uidSecondary": "T", "status": "archived"}, {"id": "new", "uidSecondary": "T"}, {"id": "?"}]
    server = Recorder(orjson.dumps({"jobs": jobs, "status": 0}))
    async with serving(server.script) as url, client_of(url) as client:
        found = await client.find_in_day(20231110, {"K3", "K1999", "T", "absent"})
        assert server.data == {"day": 20231110, "worker": "*"}
        await client.find_in_day(None, {"K3"})
        assert server.data == {"worker": "*"}
    assert {key: remote.id for key, remote in found.items()} == {"K3": "i3", "K1999": "i1999", "T": "new"}
    assert found["K3"].fields == {"day": 20231110}
    assert not found["T"].archived


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"jobs":[{"id":"1","uidSecondary":"A"}],"status":3,"message":"no"}', Rejected),
        (b'{"jobs":[{"id":"1","uidSecondary":"A"}]}', OutcomeUnknown),
        (b'{"jobs":[{"id":"1","uidSecondary":"A"}],"status":0', OutcomeUnknown),
        (b'{"jobs":[{"id":"1","uidSecondary":"A"}', OutcomeUnknown),
        (b'{"jobs":[null],"status":0}', OutcomeUnknown),
        (b'{"jobs":[{"id":tru}],"status":0}', OutcomeUnknown),
        (b"<html></html>", OutcomeUnknown),
        (b'{"status":0}', OutcomeUnknown),
    ],
)
async def test_find_in_day_believes_a_whole_and_good_reply_only(answer: bytes, error: type[Exception]) -> None:
    """Otherwise a job that is there would be taken for missing."""
    async with serving(Recorder(answer).script) as url, client_of(url) as client:
        with pytest.raises(error):
            await client.find_in_day(20231110, {"A", "B"})


async def test_a_compressed_reply_is_read() -> None:
    headers = "Content-Encoding: gzip\r\n"
    answer = reply(
        gzip.compress(orjson.dumps({"status": 0, "jobs": [{"id": "1", "uidSecondary": "A"}]})), headers=headers
    )
    async with serving(answering(answer)) as url, client_of(url) as client:
        assert list(await client.find_in_day(0, {"A"})) == ["A"]
        assert await client.get_jobs() == [{"id": "1", "uidSecondary": "A"}]


async def test_a_reply_without_measure_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.hellotracks.wire.LONGEST_REPLY", 100_000)
    answer = reply(gzip.compress(b" " * 1_000_000), headers="Content-Encoding: gzip\r\n")
    async with serving(answering(answer)) as url, client_of(url) as client:
        with pytest.raises(OutcomeUnknown):
            await client.get_accounts()
        with pytest.raises(OutcomeUnknown):
            await client.find_in_day(0, {"A"})


async def test_find_in_day_reads_a_reply_framed_in_another_way() -> None:
    answer = orjson.dumps({"status": 0, "page": {"n": 1}, "jobs": [{"id": 5, "uidSecondary": "A"}]})
    async with serving(Recorder(answer).script) as url, client_of(url) as client:
        found = await client.find_in_day(20231110, {"A"})
    assert found["A"].id == "5"


async def test_find_job_encodes_the_key_and_looks_at_what_came_back() -> None:
    key = "a&b=c/ü+ %?#"
    server = Recorder(orjson.dumps({"data": {"items": [{"id": "1", "externalId": key, "title": "T"}]}}))
    async with serving(server.script) as url, client_of(url) as client:
        found = await client.find_job(key)
        assert server.line == "GET /v1/jobs?externalId=a%26b%3Dc/%C3%BC%2B+%25?%23&limit=1 HTTP/1.1"
        assert found is not None
        assert (found.id, found.key, found.fields) == ("1", key, {"destinationName": "T"})
        with pytest.raises(OutcomeUnknown, match="another job"):
            await client.find_job("B")
        server.answer = b'{"data":{"items":[]}}'
        assert await client.find_job("B") is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"error":{"message":"bad"}}', Rejected),
        (b'{"data":{}}', OutcomeUnknown),
        (b'{"data":[]}', OutcomeUnknown),
        (b'{"items":[]}', OutcomeUnknown),
        (b'{"data":{"items":null}}', OutcomeUnknown),
        (b'{"data":{"items":[7]}}', OutcomeUnknown),
        (b'{"data":{"items":[', OutcomeUnknown),
    ],
)
async def test_find_job_takes_nothing_else_for_an_answer(answer: bytes, error: type[Exception]) -> None:
    async with serving(Recorder(answer).script) as url, client_of(url) as client:
        with pytest.raises(error):
            await client.find_job("A")


async def test_the_company_and_the_writes() -> None:
    server = Recorder(
        b'{"status":0,"company":{"uid":"c"},"jobs":[{"id":"1"}],"assignedJobs":["1"],"unassignedJobs":["2",null]}'
    )
    async with serving(server.script) as url, client_of(url) as client:
        assert await client.get_company() == {"uid": "c"}
        assert server.line == "POST /api/getcompany HTTP/1.1"
        assert server.data == {}

        assert await client.edit_jobs({"1": {"receiverUid": ""}}, notify=False) == [{"id": "1"}]
        assert server.line == "POST /api/editjobs HTTP/1.1"
        assert server.data == {"jobs": {"1": {"receiverUid": ""}}, "notify": False}

        await client.delete_jobs(["1", "2"])
        assert server.line == "POST /api/deletejobs HTTP/1.1"
        assert server.data == {"jobs": ["1", "2"]}

        done = await client.autoassign(["1", "2"], ["ann"], day=20231110, dropoff_capacity=3)
        assert server.line == "POST /api/autoassign HTTP/1.1"
        assert server.data == {
            "jobs": ["1", "2"],
            "workers": ["ann"],
            "method": "distance",
            "day": 20231110,
            "dropoffCapacity": 3,
        }
        assert (done.assigned, done.unassigned, done.jobs) == (("1",), ("2",), [{"id": "1"}])
