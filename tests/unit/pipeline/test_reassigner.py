"""Jobs that their member rejected, or left without starting, go to the next best."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson

from dispatcher import Dispatcher, State
from dispatcher.pipeline.calendar import date_in
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.pipeline.living import edit, job, living, member, now_ms, route, until

CREW = [member("ann"), member("bob", 45.2), member("eve", 45.4)]
FAST = {"fleet_sync_s": 1.0, "routes_sync_s": 1.0, "reassign": True}


async def given(d: Dispatcher, *jobs: dict[str, Any]) -> list[str | None]:
    """Submit jobs; who got them."""
    return [receipt.worker for receipt in await d.wait(await d.submit(jobs), timeout_s=20)]


async def with_member(d: Dispatcher, sandbox: Sandbox, key: str, worker: str) -> None:
    """Wait until the server, the receipt and the day route agree on who has the job."""

    async def all_agree() -> bool:
        found = await d.receipt(key)
        here = found is not None and found.worker == worker and found.state is State.CONFIRMED
        day = sandbox.jobs[key]["day"] or date_in("UTC", now_ms() / 1000)
        return here and sandbox.jobs[key]["worker"] == worker and key in await route(d, worker, day)

    await until(all_agree, timeout_s=20)


async def test_a_rejected_job_goes_on_until_it_was_offered_often_enough(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=[*CREW, member("joe", 45.6)])) as sandbox,
        living(sandbox, tmp_path, **FAST, reassign_max=2) as d,
    ):
        assert await given(d, job("A")) == ["ann"]
        await edit(sandbox, "A", tsRejected=now_ms())
        await with_member(d, sandbox, "A", "bob")
        assert sandbox.jobs["A"]["tsRejected"] == 0
        await edit(sandbox, "A", tsRejected=now_ms())
        await with_member(d, sandbox, "A", "eve")
        await edit(sandbox, "A", tsRejected=now_ms())
        reads = d.pipeline.sync.tally.days
        await until(lambda: d.pipeline.sync.tally.days >= reads + 3)
        receipt = await d.receipt("A")
        assert receipt is not None
        assert (receipt.worker, sandbox.jobs["A"]["worker"], d.pipeline.reassigner.moved) == ("eve", "eve", 2)
        story = [(one["from"], one["why"]) for one in orjson.loads(receipt.note)["reassigned"]]
        assert story == [("ann", "rejected"), ("bob", "rejected")]


async def test_what_a_person_decided_stays(tmp_path: Path) -> None:
    """Given to somebody else by hand and rejected there; named by its caller; left to the server: none is touched."""
    async with Sandbox(SandboxSettings(members=CREW)) as sandbox, living(sandbox, tmp_path, **FAST) as d:
        assert await given(d, job("HAND"), job("NAMED", worker="ann"), job("BEGUN")) == ["ann", "ann", "ann"]
        await edit(sandbox, "HAND", worker="eve", tsRejected=now_ms())
        await edit(sandbox, "NAMED", tsRejected=now_ms())
        await edit(sandbox, "BEGUN", tsRejected=now_ms(), tsDoneFailed=now_ms())
        reads = d.pipeline.sync.tally.days
        await until(lambda: d.pipeline.sync.tally.days >= reads + 3)
        workers = {key: sandbox.jobs[key]["worker"] for key in ("HAND", "NAMED", "BEGUN")}
        assert workers == {"HAND": "eve", "NAMED": "ann", "BEGUN": "ann"}
        assert d.pipeline.reassigner.moved == 0


async def test_who_goes_off_duty_leaves_what_is_not_begun_to_others(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(members=CREW)) as sandbox, living(sandbox, tmp_path, **FAST) as d:
        assert await given(d, job("A", day=0), job("B", day=0, windowStart=0)) == ["ann", "ann"]
        await edit(sandbox, "A", tsCheckIn=now_ms())
        sandbox.set_member("ann", moving="offduty")
        await with_member(d, sandbox, "B", "bob")
        assert sandbox.jobs["A"]["worker"] == "ann"
        sandbox.set_member("ann", moving="halted")
        await until(lambda: not d.pipeline.reassigner.left)


async def test_without_the_setting_nothing_is_offered(tmp_path: Path) -> None:
    settings = FAST | {"reassign": None}
    async with Sandbox(SandboxSettings(members=CREW)) as sandbox, living(sandbox, tmp_path, **settings) as d:
        await given(d, job("A"))
        await edit(sandbox, "A", tsRejected=now_ms())
        reads = d.pipeline.sync.tally.days
        await until(lambda: d.pipeline.sync.tally.days >= reads + 2)
        assert sandbox.jobs["A"]["worker"] == "ann"
        assert "/api/editjobs" in sandbox.stats()["requests"], "only the person's own edit"
        assert sandbox.stats()["requests"]["/api/editjobs"] == 1


async def test_an_edit_whose_answer_is_lost_is_not_made_twice_over(tmp_path: Path) -> None:
    """The edit took effect, the connection broke: what is there is written down, and nobody else is asked."""
    async with Sandbox(SandboxSettings(members=CREW)) as sandbox, living(sandbox, tmp_path, **FAST) as d:
        await given(d, job("A"))
        await edit(sandbox, "A", tsRejected=now_ms())
        sandbox.set_faults(faults="", faults_on=["/api/editjobs"], next=["close-after"])
        await with_member(d, sandbox, "A", "bob")
        await asyncio.sleep(0.5)
        assert (d.pipeline.reassigner.moved, sandbox.jobs["A"]["worker"]) == (1, "bob")


async def test_a_job_that_nobody_else_can_take_stays_where_it_is(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(members=CREW[:1])) as sandbox, living(sandbox, tmp_path, **FAST) as d:
        await given(d, job("A", day=0))
        sandbox.set_member("ann", moving="offduty")
        await until(lambda: d.pipeline.reassigner.left)
        members = d.pipeline.sync.tally.members
        await until(lambda: d.pipeline.sync.tally.members >= members + 2)
        assert sandbox.jobs["A"]["worker"] == "ann"

        async def still_there() -> bool:
            return await route(d, "ann", date_in("UTC", now_ms() / 1000)) == ["A"]

        await until(still_there)
