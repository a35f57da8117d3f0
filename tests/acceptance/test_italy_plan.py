"""Four Italian cities of home visits: every decision of the engine and of `dispatcher plan` equals the oracle's."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.oracle.compare import check_world, differing_plan
from tests.oracle.decisions import PlainDecision
from tests.oracle.oracle import Oracle
from tests.oracle.worlds import World

ITALY = Path(__file__).resolve().parents[3] / "shared" / "data" / "italy"
DISPATCHER = Path(sys.executable).parent / "dispatcher"
CITIES = ("milan", "udine", "rome", "venice")
POLICIES = ("nearest", "least_detour")
SUNDAY_MORNING = datetime(2026, 11, 29, 8, 0, tzinfo=ZoneInfo("Europe/Rome"))
MONDAY_AT_TEN = datetime(2026, 11, 30, 10, 0, tzinfo=ZoneInfo("Europe/Rome"))

pytestmark = pytest.mark.skipif(not ITALY.is_dir(), reason=f"the visits of four Italian cities are not at {ITALY}")


def city(name: str, now: datetime, policy: str) -> World:
    """The city's files as one world."""
    replies = {part: json.loads((ITALY / name / f"{part}.json").read_text()) for part in ("members", "jobs", "company")}
    return World(
        accounts=replies["members"]["accounts"],
        company=replies["company"]["company"],
        routes=[],
        settings={"policy": policy},
        now=now.timestamp(),
        batches=[replies["jobs"]["data"]["jobs"]],
    )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", CITIES)
@pytest.mark.parametrize("now", [SUNDAY_MORNING, MONDAY_AT_TEN], ids=["the day before", "on the day"])
def test_the_engine_plans_the_city_as_the_oracle_does(name: str, policy: str, now: datetime) -> None:
    """The day before, members begin where their route does; on the day, late in the morning, many windows are gone."""
    world = city(name, now, policy)
    assert check_world(world) == len(world.batches[0])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", CITIES)
def test_the_plan_command_prints_the_oracles_decisions(name: str, policy: str) -> None:
    """`dispatcher plan --json` on the city's own files."""
    world = city(name, SUNDAY_MORNING, policy)
    document = plan(name, SUNDAY_MORNING, policy)
    expected = decided_by_oracle(world)
    placed = sum(each.worker is not None for each in expected)
    assert document["summary"] == {"jobs": len(expected), "assigned": placed, "unassigned": len(expected) - placed}
    assert differing_plan(document["jobs"], expected) == []


def decided_by_oracle(world: World) -> list[PlainDecision]:
    oracle = Oracle(world.accounts, company=world.company, settings=world.settings, now=world.now)
    return oracle.decide(world.batches[0])


def plan(name: str, now: datetime, policy: str) -> Any:
    """Run the command as a user would and read what it prints."""
    files = [
        part for kind in ("members", "jobs", "company") for part in (f"--{kind}", str(ITALY / name / f"{kind}.json"))
    ]
    command = [str(DISPATCHER), "plan", *files, "--now", now.isoformat(), "--policy", policy, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
