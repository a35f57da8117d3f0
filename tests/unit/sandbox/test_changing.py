import pytest

from tests.unit.sandbox.talk import Open, job, member

MEMBERS = [member("ann", 48.2, 16.37), member("bob", 48.3, 16.37)]


async def test_editjobs_changes_the_named_fields_of_the_named_jobs(open_sandbox: Open) -> None:
    clock = [1.0]
    talk = await open_sandbox(now=lambda: clock[0])
    a, b = await talk.create(job("A", customFields=[{"key": "x", "val": "1"}]), job("B"))
    clock[0] = 2.0

    fields = {"priority": 8, "day": "20261201", "customFields": [{"key": "y", "val": "2"}]}
    edited = (await talk.call("editjobs", jobs={a["id"]: fields, "unknown": {"priority": 1}}, notify=False))["jobs"]

    assert edited == [a | {**fields, "day": 20261201, "tsSaved": 2000}]
    assert talk.sandbox.jobs["B"] == b
    assert (await talk.call("getjobs", day=20261201))["jobs"] == edited


async def test_editjobs_takes_an_array_of_objects_with_their_ids_too(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    (a,) = await talk.create(job("A"))

    (edited,) = (await talk.call("editjobs", jobs=[{"id": a["id"], "priority": 1}]))["jobs"]

    assert (edited["id"], edited["priority"]) == (a["id"], 1)


async def test_editjobs_assigns_by_worker_or_uid_and_an_empty_uid_unassigns(open_sandbox: Open) -> None:
    clock = [1.0]
    talk = await open_sandbox(members=MEMBERS, now=lambda: clock[0])
    (a,) = await talk.create(job("A"))

    async def edit(**fields: str) -> tuple[str, str, int]:
        clock[0] += 1
        (edited,) = (await talk.call("editjobs", jobs={a["id"]: fields}))["jobs"]
        return edited["worker"], edited["receiverUid"], edited["tsAssigned"]

    assert await edit(worker="ann@acme.example") == ("ann@acme.example", "ann", 2000)
    assert await edit(receiverUid="bob") == ("bob@acme.example", "bob", 3000)
    assert await edit(priority="5") == ("bob@acme.example", "bob", 3000)
    assert await edit(receiverUid="") == ("", "", 0)


async def test_an_edit_with_null_sets_a_field_back_to_its_default(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    (a,) = await talk.create(job("A", priority=9))

    (edited,) = (await talk.call("editjobs", jobs={a["id"]: {"priority": None, "day": None}}))["jobs"]

    assert (edited["priority"], edited["day"]) == (5, 0)


async def test_an_edit_can_give_a_job_another_key_but_not_the_key_of_another_job(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    a, b = await talk.create(job("A"), job("B"))

    for wishes in ({a["id"]: {"uidSecondary": "B"}}, {a["id"]: {"uidSecondary": "X"}, b["id"]: {"uidSecondary": "X"}}):
        refused = await talk.post("/api/editjobs", {"data": {"jobs": wishes}})
        assert refused.json["status"] == 1
        assert set(talk.sandbox.jobs) == {"A", "B"}
    await talk.call("editjobs", jobs={a["id"]: {"uidSecondary": "C"}})

    assert set(talk.sandbox.jobs) == {"B", "C"}
    assert talk.sandbox.jobs["C"]["id"] == a["id"]


@pytest.mark.parametrize("form", ["array", "object"])
async def test_deleted_jobs_are_gone_and_their_key_is_free(open_sandbox: Open, form: str) -> None:
    talk = await open_sandbox()
    a, _ = await talk.create(job("A"), job("B"))
    ids = [a["id"], "unknown"]

    reply = await talk.call("deletejobs", jobs=ids if form == "array" else {i: {} for i in ids})

    assert reply == {"status": 0}
    assert set(talk.sandbox.jobs) == {"B"}
    assert (await talk.call("getjobs", ids=[a["id"]]))["jobs"] == []
    (anew,) = await talk.create(job("A"))
    assert anew["id"] != a["id"]
    assert (talk.sandbox.created("A"), talk.sandbox.sends("A")) == (2, 2)
    assert talk.sandbox.stats()["jobs"] == 2


async def test_archived_jobs_leave_their_day_until_they_are_restored(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    (a,) = await talk.create(job("A"))

    (archived,) = (await talk.call("archivejobs", jobs={a["id"]: {}}))["jobs"]
    assert archived["status"] == "archived"
    assert (await talk.call("getjobs", day=20261130))["jobs"] == []
    assert (await talk.call("getjobs", id=a["id"]))["jobs"] == [archived]

    (restored,) = (await talk.call("restorejobs", jobs=[a["id"]]))["jobs"]
    assert "status" not in restored
    assert (await talk.call("getjobs", day=20261130))["jobs"] == [restored]


async def test_autoassign_places_existing_jobs_with_the_named_workers_within_their_capacity(open_sandbox: Open) -> None:
    talk = await open_sandbox(members=MEMBERS)
    created = await talk.create(*[job(f"k{i}", itemsToDropoff=1) for i in range(4)])
    ids = [entry["id"] for entry in created]

    reply = await talk.call(
        "autoassign", jobs=ids, workers=["ann@acme.example", "bob@acme.example", "eve@acme.example"], dropoffCapacity=1
    )

    assert reply["assignedJobs"] == ids[:2]
    assert reply["unassignedJobs"] == ids[2:]
    assert [entry["receiverUid"] for entry in reply["jobs"]] == ["ann", "bob", "", ""]


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("editjobs", {}),
        ("editjobs", {"jobs": {"x": 5}}),
        ("editjobs", {"jobs": [{"priority": 1}]}),
        ("deletejobs", {"jobs": [5]}),
        ("archivejobs", {"jobs": "x"}),
        ("autoassign", {"jobs": []}),
        ("autoassign", {"jobs": [], "workers": [], "pickupCapacity": "many"}),
    ],
)
async def test_changes_that_cannot_be_read_are_refused(
    open_sandbox: Open, action: str, data: dict[str, object]
) -> None:
    answer = await (await open_sandbox()).post(f"/api/{action}", {"data": data})

    assert (answer.status, answer.json["status"]) == (200, 1)
    assert answer.json["message"]
