"""The listing of a day as open stops: nothing that is over, nothing that nobody has, and only what a route needs."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dispatcher.errors import OutcomeUnknown, Rejected
from dispatcher.hellotracks import HellotracksClient
from dispatcher.sandbox import Sandbox, SandboxSettings

DAY = 20310106


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "day": DAY, "destinationLat": 45.0, "destinationLng": 7.0} | fields


async def stops(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    async with (
        Sandbox(SandboxSettings(jobs=jobs)) as sandbox,
        HellotracksClient(base_url=sandbox.url, api_key="k") as client,
    ):
        return await client.open_stops(DAY)


async def test_only_open_jobs_that_somebody_has_are_stops() -> None:
    found = await stops(
        [
            job("OPEN", worker="ann@example.com", number=2, tsCheckIn=5),
            job("NOBODYS"),
            job("DONE", worker="ann@example.com", tsDoneSuccess=1),
            job("FAILED", worker="ann@example.com", tsDoneFailed=1),
            job("REJECTED", worker="ann@example.com", tsRejected=1),
            job("ARCHIVED", worker="ann@example.com", status="archived"),
            job("OTHER-DAY", worker="ann@example.com") | {"day": DAY + 1},
        ]
    )
    assert [stop["uidSecondary"] for stop in found] == ["OPEN"]
    assert (found[0]["worker"], found[0]["number"], found[0]["tsCheckIn"]) == ("ann@example.com", 2, 5)
    assert "textDispatcher" not in found[0]


async def test_a_stop_holds_every_field_that_the_engine_reads_of_a_route() -> None:
    full = job(
        "A",
        worker="ann@example.com",
        number=3,
        scheduledStart=1_000,
        windowStart=800,
        windowEnd=1000,
        onSiteSeconds=60,
        itemsToDropoff=2,
        itemsToPickup=1,
    )
    (stop,) = await stops([full])
    assert {name: stop[name] for name in full} == full


@pytest.mark.parametrize(
    ("fault", "error"), [("truncate:1", OutcomeUnknown), ("html:1", OutcomeUnknown), ("status:1", Rejected)]
)
async def test_a_damaged_listing_is_no_listing(fault: str, error: type[Exception]) -> None:
    settings = SandboxSettings(jobs=[job("A", worker="x@example.com")], faults=fault, faults_on=("/api/getjobs",))
    async with (
        Sandbox(settings) as sandbox,
        HellotracksClient(base_url=sandbox.url, api_key="k") as client,
    ):
        with pytest.raises(error):
            await client.open_stops(DAY)


async def test_memory_does_not_grow_with_what_is_no_stop() -> None:
    """Ten thousand jobs of nobody come and go; two stops stay."""
    many = [job(f"N{n}") for n in range(10_000)]
    found = await stops([*many, job("A", worker="a@example.com"), job("B", receiverUid="u1")])
    assert {stop["uidSecondary"] for stop in found} == {"A", "B"}
    assert len(orjson.dumps(found)) < 2_000
