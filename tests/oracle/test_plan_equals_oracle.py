"""`dispatcher plan` says of files what the oracle says of the same records: routes, company, settings and all."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.compare import differing_plan
from tests.oracle.oracle import Oracle
from tests.oracle.places import place
from tests.oracle.worlds import World, seeded_world

DISPATCHER = Path(sys.executable).parent / "dispatcher"


@pytest.mark.parametrize("seed", range(50_000, 50_008))
def test_a_plan_of_files_is_the_oracles(seed: int, tmp_path: Path) -> None:
    """Replies as a user would have saved them, settings as `--set`, and jobs that a backend would accept."""
    world = acceptable(seeded_world(seed, members=(6, 20), stops=(5, 30), jobs=(30, 80)))
    oracle = Oracle(world.accounts, routes=world.routes, company=world.company, settings=world.settings, now=world.now)
    expected = oracle.decide(world.batches[0])
    document = plan(world, tmp_path)
    placed = sum(each.worker is not None for each in expected)
    assert document["summary"] == {"jobs": len(expected), "assigned": placed, "unassigned": len(expected) - placed}
    assert differing_plan(document["jobs"], expected) == []


def acceptable(world: World) -> World:
    """The world without what cannot stand in a file (NaN) or would be refused at the door (unset coordinates)."""
    jobs = [
        job | {"uidSecondary": job.get("uidSecondary") or f"k{index}"}
        for index, job in enumerate(world.batches[0])
        if place(job, "destinationLat", "destinationLng") is not None
    ]
    settings = {name: value for name, value in world.settings.items() if name != "member_skills"}
    return World(world.accounts, world.company, world.routes, settings, world.now, [jobs])


def plan(world: World, folder: Path) -> Any:
    """Save the replies, run the command, read the document."""
    replies: dict[str, Any] = {
        "members": {"status": 0, "accounts": world.accounts},
        "routes": {"status": 0, "jobs": world.routes},
        "company": {"status": 0, "company": world.company or {}},
        "jobs": {"data": {"jobs": world.batches[0]}},
    }
    command = [str(DISPATCHER), "plan", "--now", datetime.fromtimestamp(world.now, UTC).isoformat(), "--json"]
    for name, reply in replies.items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(finite(reply)))
        command += [f"--{name}", str(file)]
    for name, value in world.settings.items():
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        command += ["--set", f"{name}={text}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def finite(record: Any) -> Any:
    """The record with NaN and infinity as null, as JSON knows neither."""
    if isinstance(record, dict):
        return {name: finite(value) for name, value in record.items()}
    if isinstance(record, list):
        return [finite(value) for value in record]
    return None if isinstance(record, float) and record - record != 0 else record
