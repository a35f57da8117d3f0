from typing import Any

import orjson
import pytest

from tests.unit.sandbox.talk import Open, job, member, raw_exchange

DOCUMENTED_REPLY = orjson.loads(
    """{"assigneeName":"","assigneeUsername":"","carryOver":1,"contactEmail":"","contactName":"","contactPhone":"",
    "confirmationEmails":"","customFields":[],"day":0,"destinationText":"","dispatcherName":"","dispatcherUid":"",
    "dispatcherUrl":"","inputFormConfig":"","itemsToDropoff":0,"itemsToPickup":0,"label":"","linkedForms":"",
    "linkedZones":"","manualChecks":"","number":0,"onSiteSeconds":720,"orderId":0,"placeName":"","placeUid":"",
    "placeUrl":"","priority":5,"radius":100,"receiverUid":"","scheduledEnd":0,"scheduledStart":0,"signatureName":"",
    "signaturePdf":"","signatureSvg":"","teamId":0,"textDispatcher":"","textReceiver":"","tsAccepted":0,"tsAssigned":0,
    "tsCheckIn":0,"tsCheckNFC1":0,"tsCheckNFC2":0,"tsCheckOut":0,"tsDoneFailed":0,"tsDoneSuccess":0,"tsRejected":0,
    "tsScheduled":0,"tsSignature":0,"type":0,"windowEnd":2400,"windowStart":0,"worker":"","workerName":""}"""
)
"""What the documentation's create reply holds for fields that were not set."""

CURL_BODY = b"""
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
"""


async def test_the_curl_line_of_the_documentation_works_as_it_stands(open_sandbox: Open) -> None:
    """The client sends `-d` as a form; the body is read as JSON all the same, and an unknown worker stays as sent."""
    talk = await open_sandbox()
    request = (
        b"POST /api/createjobs HTTP/1.1\r\nHost: api.hellotracks.com\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"
        b"API-Key: ...\r\nContent-Length: %d\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Connection: close\r\n\r\n" % len(CURL_BODY)
    )

    head, _, body = (await raw_exchange(talk, request + CURL_BODY)).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 ")
    reply = orjson.loads(body)
    assert reply["status"] == 0
    assert reply["jobs"][0]["worker"] == "username@company.com"
    assert reply["jobs"][0]["destinationLng"] == -122.4194
    assert reply["jobs"][0]["day"] == 20231110


async def test_the_reply_holds_every_documented_field_with_its_default(open_sandbox: Open) -> None:
    talk = await open_sandbox(now=lambda: 1_691_913_941.055)

    (created,) = await talk.create({"destinationLat": 37.7749, "destinationLng": 122.4194, "destinationName": "New"})

    assert created.pop("id")
    assert created == DOCUMENTED_REPLY | {
        "destinationLat": 37.7749,
        "destinationLng": 122.4194,
        "destinationName": "New",
        "tsCreated": 1_691_913_941_055,
        "tsSaved": 1_691_913_941_055,
    }


async def test_ids_are_24_hexadecimal_digits_and_differ(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    ids = [created["id"] for created in await talk.create(*[job(f"k{i}") for i in range(50)])]

    assert len(set(ids)) == 50
    assert all(len(i) == 24 and set(i) <= set("0123456789abcdef") for i in ids)


async def test_jobs_come_back_in_the_order_they_were_sent(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    created = await talk.create(*[job(f"k{i}") for i in (3, 1, 2)])

    assert [entry["uidSecondary"] for entry in created] == ["k3", "k1", "k2"]


async def test_the_same_key_with_the_same_content_is_a_repeat_and_creates_nothing(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    (first,) = await talk.create(job("A"))
    (second,) = await talk.create(job("A"))

    assert second == first
    sandbox = talk.sandbox
    assert (sandbox.created("A"), sandbox.sends("A"), sandbox.updates("A")) == (1, 2, 0)
    assert {name: sandbox.stats()[name] for name in ("jobs", "creates", "updates", "repeats")} == {
        "jobs": 1,
        "creates": 1,
        "updates": 0,
        "repeats": 1,
    }


async def test_the_same_key_with_other_content_updates_and_keeps_what_was_not_sent(open_sandbox: Open) -> None:
    clock = [1000.0]
    talk = await open_sandbox(now=lambda: clock[0])
    (first,) = await talk.create(job("A", priority=9, textDispatcher="ring twice"))
    clock[0] = 2000.0

    (second,) = await talk.create({"uidSecondary": "A", "priority": 2, "day": 20261201})

    assert second == first | {"priority": 2, "day": 20261201, "tsSaved": 2_000_000}
    assert (talk.sandbox.created("A"), talk.sandbox.sends("A"), talk.sandbox.updates("A")) == (1, 2, 1)


async def test_a_key_that_stands_twice_in_one_request_is_one_job(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    first, second = await talk.create(job("A", priority=1), job("A", priority=2))

    assert first["id"] == second["id"]
    assert talk.sandbox.jobs["A"]["priority"] == 2
    assert (talk.sandbox.created("A"), talk.sandbox.updates("A"), talk.sandbox.stats()["overlaps"]) == (1, 1, 0)


async def test_jobs_without_a_key_are_new_every_time(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    for _ in range(3):
        (created,) = await talk.create({"destinationName": "no key"})
        assert "uidSecondary" not in created

    assert talk.sandbox.stats()["creates"] == 3


async def test_null_fields_and_fields_of_the_server_are_as_good_as_not_sent(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    (created,) = await talk.create(job("A", priority=None, worker=None, tsSaved=7, workerName="me", id=None))

    assert (created["priority"], created["worker"], created["workerName"]) == (5, "", "")
    assert created["tsSaved"] != 7
    assert created["id"]


async def test_custom_fields_and_unknown_fields_are_kept(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    extra = {"customFields": [{"key": "a", "val": "1"}], "custom_b": "2", "somethingNew": {"deep": [1, 2]}}

    (created,) = await talk.create(job("A", **extra))

    assert {name: created[name] for name in extra} == extra
    assert {name: talk.sandbox.jobs["A"][name] for name in extra} == extra


async def test_a_worker_by_username_or_uid_is_filled_in_with_name_and_the_other_of_the_two(open_sandbox: Open) -> None:
    talk = await open_sandbox(members=[member("ann", 48.2, 16.3)])
    person = {
        "worker": "ann@acme.example",
        "assigneeUsername": "ann@acme.example",
        "receiverUid": "ann",
        "workerName": "Ann",
        "assigneeName": "Ann",
    }

    created = await talk.create(job("A", worker="ann@acme.example"), job("B", receiverUid="ann"))

    for entry in created:
        assert {name: entry[name] for name in person} == person
        assert entry["tsAssigned"] == entry["tsCreated"]


async def test_templates_get_ids_of_their_own_and_are_no_jobs_of_a_day(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    (template,) = await talk.create(job("T"), isTemplate="true")

    assert template["id"].startswith("tpl-")
    assert (await talk.call("getjobs", day=20261130))["jobs"] == []
    assert (await talk.call("getjobs", id=template["id"]))["jobs"] == [template]


async def test_an_empty_list_of_jobs_is_no_error(open_sandbox: Open) -> None:
    assert await (await open_sandbox()).create() == []


@pytest.mark.parametrize(
    ("body", "http_status", "word"),
    [
        (b"{", 400, "not JSON"),
        (b"", 400, "not JSON"),
        (b'{"data": {"jobs": [{"destinationLat": NaN}]}}', 400, "not JSON"),
        (b"[]", 200, "object"),
        (b"{}", 200, "data"),
        (b'{"data": []}', 200, "data"),
        (b'{"data": {}}', 200, "jobs"),
        (b'{"data": {"jobs": {}}}', 200, "jobs"),
        (b'{"data": {"jobs": [1]}}', 200, "object"),
        (b'{"data": {"jobs": [{"uidSecondary": 5}]}}', 200, "uidSecondary"),
        (b'{"data": {"jobs": [{"worker": ["a"]}]}}', 200, "worker"),
        (b'{"data": {"jobs": [{"day": "tomorrow"}]}}', 200, "day"),
        (b'{"data": {"jobs": [{"day": 99999999999}]}}', 200, "day"),
        (b'{"data": {"jobs": [], "autoassign": "perhaps"}}', 200, "autoassign"),
        (b'{"data": {"jobs": [{"uidSecondary": "good"}, {"id": "64d88ed519c0ae41096aa4b4"}]}}', 200, "id"),
    ],
)
async def test_what_cannot_be_used_is_refused_whole_with_a_status_and_words(
    open_sandbox: Open, body: bytes, http_status: int, word: str
) -> None:
    talk = await open_sandbox()

    answer = await talk.post("/api/createjobs", body)

    assert answer.status == http_status
    assert answer.json["status"] == 1
    assert word in answer.json["message"]
    assert talk.sandbox.stats()["creates"] == 0


async def test_poison_refuses_the_whole_request_without_naming_the_job(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    answer = await talk.post("/api/createjobs", {"data": {"jobs": [job("A"), job("B", destinationName="x POISON")]}})

    assert (answer.status, answer.json["status"]) == (200, 1)
    assert "POISON" not in answer.json["message"]
    assert "B" not in answer.json["message"]
    assert "A" not in talk.sandbox.jobs


async def test_batches_and_bodies_above_the_limits_are_answered_by_413(open_sandbox: Open) -> None:
    talk = await open_sandbox(max_batch_jobs=2, max_body_bytes=2000)

    assert len(await talk.create(job("A"), job("B"))) == 2
    too_many = await talk.post("/api/createjobs", {"data": {"jobs": [job("C"), job("D"), job("E")]}})
    too_long = await talk.post("/api/createjobs", {"data": {"jobs": [job("F", textDispatcher="x" * 2000)]}})

    assert (too_many.status, too_long.status) == (413, 413)
    assert talk.sandbox.stats()["creates"] == 2


async def test_a_body_that_turns_out_too_long_on_the_way_is_answered_by_413(open_sandbox: Open) -> None:
    """Without Content-Length the size shows only while reading."""
    talk = await open_sandbox(max_body_bytes=2000)
    head = (
        b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nAPI-Key: k\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )

    answer = await raw_exchange(talk, head + b"bb8\r\n" + b"x" * 3000 + b"\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_bodies_of_many_megabytes_pass_when_nothing_limits_them(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    await talk.create(job("A", textDispatcher="x" * 5_000_000))

    assert len(talk.sandbox.jobs["A"]["textDispatcher"]) == 5_000_000


async def test_a_client_that_asks_before_sending_is_told_to_go_on(open_sandbox: Open) -> None:
    """As curl does for long bodies (`Expect: 100-continue`)."""
    talk = await open_sandbox()
    body = orjson.dumps({"data": {"jobs": [job("A")]}})
    head = (
        b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nAPI-Key: k\r\nExpect: 100-continue\r\nContent-Length: %d\r\n"
        b"Connection: close\r\n\r\n" % len(body)
    )

    answer = await raw_exchange(talk, head + body)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_autoassign_gives_each_job_to_the_nearest_worker_of_its_team(open_sandbox: Open) -> None:
    members = [
        member("far", 48.30, 16.37, teams=[1, 2]),
        member("near", 48.21, 16.37),
        member("chief", 48.2, 16.37, role="admin"),
        member("gone", 48.2, 16.37, active_status="suspended"),
        member("home", 48.2, 16.37, moving="offduty"),
        member("parked", 48.25, 16.37, location=None, route_start_lat=48.205, route_start_lng=16.37, teams=[3]),
    ]
    talk = await open_sandbox(members=members)

    created = await talk.create(
        job("A", teamId=1),
        job("B", teamId=2),
        job("C", teamId=9),
        job("D", destinationLat=0, destinationLng=0),
        job("E"),
        job("F", worker="far@acme.example"),
        autoassign="true",
    )

    assert [entry["receiverUid"] for entry in created] == ["near", "far", "", "", "parked", "far"]
    assert talk.sandbox.stats()["autoassign_requests"] == 1
    assert talk.sandbox.stats()["workers_in_autoassign"] == 1


async def test_autoassign_leaves_an_assigned_job_where_it_is_when_it_comes_again(open_sandbox: Open) -> None:
    talk = await open_sandbox(members=[member("near", 48.21, 16.37), member("far", 48.3, 16.37)])
    await talk.create(job("A", worker="far@acme.example"), job("B"))

    created = await talk.create(job("A"), job("B"), autoassign=True)

    assert [entry["receiverUid"] for entry in created] == ["far", "near"]


async def test_sandboxes_without_members_take_autoassign_and_assign_nobody(open_sandbox: Open) -> None:
    (created,) = await (await open_sandbox(members=[])).create(job("A"), autoassign=True)

    assert created["worker"] == ""


@pytest.mark.parametrize(
    ("header", "auth", "status"),
    [
        ("right", None, 200),
        ("wrong", None, 401),
        ("", None, 401),
        ("", {"usr": "ann", "key": "right"}, 200),
        ("", {"usr": "ann", "key": "wrong"}, 401),
        ("", {"usr": "ann"}, 401),
        ("wrong", {"usr": "ann", "key": "right"}, 401),
    ],
)
async def test_the_key_is_taken_from_the_header_first_and_else_from_the_body(
    open_sandbox: Open, header: str, auth: Any, status: int
) -> None:
    talk = await open_sandbox(api_key="right")
    body = {"data": {"jobs": [job("A")]}} | ({"auth": auth} if auth else {})

    answer = await talk.post("/api/createjobs", body, key=header)

    assert answer.status == status
    assert (answer.json["status"] == 0) == (status == 200)
    assert ("A" in talk.sandbox.jobs) == (status == 200)


async def test_any_key_will_do_when_none_is_set_but_not_an_empty_one(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    assert (await talk.post("/api/getcompany", {"data": {}}, key="whatever")).status == 200
    assert (await talk.post("/api/getcompany", {"data": {}}, key="")).status == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/createjobs", 405),
        ("PUT", "/api/getjobs", 405),
        ("POST", "/v1/jobs", 405),
        ("POST", "/api/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/sandbox/nothing", 404),
    ],
)
async def test_wrong_methods_and_paths_are_answered_in_json(
    open_sandbox: Open, method: str, path: str, status: int
) -> None:
    talk = await open_sandbox()

    async with talk.session.request(method, talk.sandbox.url + path, headers={"API-Key": "k"}) as response:
        assert response.status == status
        assert response.content_type == "application/json"
        content = await response.json()
    assert content.get("message") or content["error"]["message"]


async def test_saved_jobs_are_there_from_the_start_under_their_own_ids(open_sandbox: Open) -> None:
    saved = DOCUMENTED_REPLY | job(
        "A", id="64d88ed519c0ae41096aa4b4", tsCreated=1, tsSaved=2, worker="ann@acme.example"
    )
    talk = await open_sandbox(members=[member("ann", 48.2, 16.3)], jobs=[saved])

    (found,) = (await talk.call("getjobs", day=20261130))["jobs"]
    (again,) = await talk.create(job("A", priority=10))

    assert (found["id"], found["tsCreated"], found["tsSaved"]) == ("64d88ed519c0ae41096aa4b4", 1, 2)
    assert found["receiverUid"] == "ann"
    assert again["id"] == found["id"]
    assert again["priority"] == 10
