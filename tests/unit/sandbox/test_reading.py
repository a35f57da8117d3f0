from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.sandbox import api
from tests.unit.sandbox.talk import Open, Talk, job, member

ANN = member("ann", 48.2, 16.3)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()


async def _keys(talk: Talk, **data: Any) -> list[str]:
    return [entry["uidSecondary"] for entry in (await talk.call("getjobs", **data))["jobs"]]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({}, ["today", "mine", "stranger's", "team"]),
        ({"day": 20261130}, ["today", "mine", "stranger's", "team"]),
        ({"day": "20261201"}, ["tomorrow"]),
        ({"day": 0}, ["undated"]),
        ({"worker": "*"}, ["today", "mine", "stranger's", "team"]),
        ({"worker": "ann@acme.example"}, ["mine"]),
        ({"worker": ""}, ["today", "team"]),
        ({"team": 7}, ["team"]),
        ({"orderId": 42}, ["tomorrow"]),
        ({"orderIds": [42, 43], "day": 20261130}, []),
        ({"progressSuccess": 1}, ["mine"]),
        ({"progressActive": 1}, ["today", "stranger's", "team"]),
        ({"progressActive": 1, "progressSuccess": 1}, ["today", "mine", "stranger's", "team"]),
        ({"ids": []}, []),
    ],
)
async def test_getjobs_finds_what_was_asked_for(open_sandbox: Open, query: dict[str, Any], keys: list[str]) -> None:
    talk = await open_sandbox(members=[ANN], now=lambda: NOON)
    created = await talk.create(
        job("today"),
        job("tomorrow", day=20261201, orderId=42),
        job("undated", day=0),
        job("mine", worker="ann@acme.example"),
        job("stranger's", worker="bob@acme.example"),
        job("team", teamId=7),
    )
    await talk.call("editjobs", jobs={created[3]["id"]: {"tsDoneSuccess": 1}})

    assert await _keys(talk, **query) == keys


async def test_today_is_the_companys_today(open_sandbox: Open) -> None:
    late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC).timestamp()
    talk = await open_sandbox(members=[], company={"timezone": "Europe/Vienna"}, now=lambda: late)
    await talk.create(job("A", day=20261130), job("B", day=20261201))

    assert await _keys(talk) == ["B"]


async def test_getjobs_by_id_passes_over_unknown_ids_and_finds_jobs_of_any_day(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    a, b = await talk.create(job("A"), job("B", day=0))

    assert await _keys(talk, ids=[b["id"], "f" * 24, "zz", a["id"]]) == ["B", "A"]
    assert await _keys(talk, id=a["id"]) == ["A"]


async def test_a_job_that_moved_to_another_day_and_back_is_found_once(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    for day in (20261130, 20261201, 20261130):
        await talk.create(job("A", day=day))

    assert await _keys(talk, day=20261130) == ["A"]
    assert await _keys(talk, day=20261201) == []


async def test_a_day_of_many_jobs_comes_whole_though_it_is_sent_in_pieces(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    count = api.STREAM_FROM + 2 * api.STREAM_PIECE + 1
    await talk.create(*[job(f"k{i}") for i in range(count)])

    assert await _keys(talk, day=20261130) == [f"k{i}" for i in range(count)]


@pytest.mark.parametrize("extra", [0, 1])
async def test_the_edge_between_one_reply_and_pieces_loses_no_job(open_sandbox: Open, extra: int) -> None:
    talk = await open_sandbox()
    await talk.create(*[job(f"k{i}") for i in range(api.STREAM_FROM + extra)])

    assert len(await _keys(talk, day=20261130)) == api.STREAM_FROM + extra


@pytest.mark.parametrize("query", [{"day": "x"}, {"worker": 5}, {"ids": "x"}, {"orderIds": ["x"]}])
async def test_getjobs_refuses_what_it_cannot_read(open_sandbox: Open, query: dict[str, Any]) -> None:
    answer = await (await open_sandbox()).post("/api/getjobs", {"data": query})

    assert (answer.status, answer.json["status"]) == (200, 1)


async def test_accounts_and_company_are_those_of_the_settings(open_sandbox: Open) -> None:
    members = [ANN, member("bob", 48.1, 16.2)]
    talk = await open_sandbox(members=members, company={"uid": "acme", "name": "Acme"})

    assert (await talk.call("getaccounts"))["accounts"] == members
    assert (await talk.call("getaccounts", uids=["bob"]))["accounts"] == members[1:]
    assert (await talk.call("getcompany"))["company"] == {"uid": "acme", "name": "Acme"}
    assert (await talk.post("/api/getcompany", {})).json["status"] == 0


async def test_a_company_is_made_up_around_given_members(open_sandbox: Open) -> None:
    talk = await open_sandbox(members=[member("ann", 48.2, 16.3, teams=[4, 2])])

    company = (await talk.call("getcompany"))["company"]

    assert [team["id"] for team in company["teams_config"]] == [2, 4]


async def test_made_up_members_keep_reporting_where_they_are(open_sandbox: Open) -> None:
    clock = [1_795_000_000.0]
    talk = await open_sandbox(fleet_size=200, now=lambda: clock[0])

    async def ages() -> list[float]:
        accounts = (await talk.call("getaccounts"))["accounts"]
        return [clock[0] - account["location"]["ts"] / 1000 for account in accounts if "location" in account]

    before = await ages()
    clock[0] += 86_400
    after = await ages()

    fresh = [age for age in before if age < 900]
    assert len(fresh) > 150
    assert sorted(age for age in after if age < 900) == pytest.approx(sorted(fresh), abs=0.01)
    assert max(after) > 86_400


async def test_v1_finds_a_job_by_its_external_id_under_the_connectors_names(open_sandbox: Open) -> None:
    talk = await open_sandbox(members=[ANN], now=lambda: NOON)
    (created,) = await talk.create(
        job(
            "a/b c&d",
            worker="ann@acme.example",
            destinationText="Ring 1",
            textDispatcher="call",
            windowStart=930,
            windowEnd=2400,
            contactName="C",
            customFields=[{"key": "x", "val": "1"}],
            custom_y="2",
        )
    )

    answer = await talk.get("/v1/jobs", externalId="a/b c&d", limit=1)

    assert answer.json == {
        "data": {
            "items": [
                {
                    "id": created["id"],
                    "externalId": "a/b c&d",
                    "title": "Job a/b c&d",
                    "address": "Ring 1",
                    "notes": "call",
                    "date": "2026-11-30",
                    "priority": 5,
                    "location": {"lat": 48.2, "lng": 16.37},
                    "timeWindow": {"start": "09:30", "end": "24:00"},
                    "onSiteDurationSeconds": 720,
                    "contact": {"name": "C", "phone": "", "email": ""},
                    "customFields": {"x": "1", "y": "2"},
                    "placeId": "",
                    "assigneeUsername": "ann@acme.example",
                    "assignee": {
                        "id": "ann",
                        "username": "ann@acme.example",
                        "email": "ann@acme.example",
                        "name": "Ann",
                    },
                    "progress": "scheduled",
                    "createdAt": int(NOON * 1000),
                    "updatedAt": int(NOON * 1000),
                }
            ]
        }
    }
    assert (await talk.get(f"/v1/jobs/{created['id']}")).json == answer.json
    assert (await talk.get("/v1/jobs", externalId="unknown")).json == {"data": {"items": []}}


async def test_v1_lists_jobs_in_pages_and_by_filter(open_sandbox: Open) -> None:
    clock = [1.0]
    talk = await open_sandbox(members=[ANN], now=lambda: clock[0])
    created = []
    for i in range(5):
        clock[0] = i + 1.0
        created += await talk.create(job(f"k{i}", day=0, worker="ann@acme.example" if i == 3 else ""))
    clock[0] = 10.0
    await talk.call("archivejobs", jobs=[created[4]["id"]])
    await talk.call("editjobs", jobs={created[0]["id"]: {"tsDoneSuccess": 5}})

    async def keys(**query: Any) -> list[str]:
        items = (await talk.get("/v1/jobs", **query)).json["data"]["items"]
        return [item["externalId"] for item in items]

    assert await keys() == ["k0", "k1", "k2", "k3"]
    assert await keys(limit=2, skip=1) == ["k1", "k2"]
    assert await keys(createdSince=3000) == ["k2", "k3"]
    assert await keys(updatedSince=9000) == ["k0"]
    assert await keys(updatedSince=9000, includeArchived="true") == ["k0", "k4"]
    assert await keys(assigneeUsername="ann@acme.example") == ["k3"]
    assert await keys(progress="success") == ["k0"]
    assert await keys(externalId="k4") == []
    assert await keys(externalId="k4", includeArchived="true") == ["k4"]


async def test_v1_speaks_its_own_form_of_errors(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    assert (await talk.get("/v1/jobs", key="")).status == 401
    assert (await talk.get("/v1/jobs/unknown")).status == 404
    answer = await talk.get("/v1/jobs", limit="many")
    assert (answer.status, answer.json) == (400, {"error": {"message": "limit must be a whole number"}})


async def test_v1_knows_the_company_and_its_members(open_sandbox: Open) -> None:
    members = [ANN, member("bob", 48.1, 16.2)]
    talk = await open_sandbox(members=members, company={"uid": "acme", "name": "Acme"})

    assert (await talk.get("/v1/auth/whoami")).json["data"]["company"]["name"] == "Acme"
    found = (await talk.get("/v1/members", query="BOB@")).json["data"]["items"]
    assert [(entry["id"], entry["username"]) for entry in found] == [("bob", "bob@acme.example")]
    assert len((await talk.get("/v1/members", max=1)).json["data"]["items"]) == 1
