"""Daemons that share a database are killed and paused, the database goes and comes back, and the server is hostile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import campaign
from tests.chaos.conftest import Runs
from tests.chaos.report import text_of, write_report
from tests.chaos.storm import DAEMON_SHARES

POLICIES = ("nearest", "none")


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
async def test_every_acknowledged_job_is_created_once_whatever_happens(
    tmp_path: Path, dsn: str, policy: str, storm_s: float, runs: Runs
) -> None:
    """Nothing lost or doubled, no limit passed, no key in two requests at once, nobody booked twice."""
    outcome = await campaign.run(tmp_path, dsn, seconds=storm_s, policy=policy, seed=runs.seed)
    assert outcome.wrong == [], f"{outcome.wrong}\n{text_of([outcome])}"
    assert outcome.acknowledged > 5 * storm_s
    assert {blow.kind for blow in outcome.blows} >= set(DAEMON_SHARES)
    assert (outcome.booked > 0) == (policy == "nearest")
    runs.found[policy] = outcome
    if runs.to_report and set(runs.found) == set(POLICIES):
        write_report([runs.found[name] for name in POLICIES])
