"""Two daemons behind PgBouncer in transaction mode share an account, its limits and its leader as they do without."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pgbouncer, postgres
from tests.acceptance.command import get, run
from tests.acceptance.serving import DAY, daemon_process, job
from tests.browser.world import company

pytestmark = pytest.mark.skipif(bool(pgbouncer.MISSING), reason=pgbouncer.MISSING)
JOBS = 120


@pytest.fixture
def url() -> Iterator[str]:
    """The database through the pool, with a short lease."""
    yield pgbouncer.through(postgres.borrow()) + "&lease_s=2"
    postgres.give_back()


def test_a_daemons_day_behind_a_pool(tmp_path: Path, url: str) -> None:
    """Taken in by both, decided by one, sent within the limits, handed over when the leader is killed."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    flags = ("--policy", "nearest", "--spool", url, "--limits", "20/s", "--max-batch-jobs", "10")
    with (
        company(tmp_path) as sandbox,
        daemon_process(tmp_path / "one", sandbox, *flags, "--node", "one") as one,
        daemon_process(tmp_path / "two", sandbox, *flags, "--node", "two") as two,
    ):
        for number in range(JOBS):
            served = (one, two)[number % 2]
            assert served.create(job(f"k{number}", day=DAY), at_once=True).status == 202
        settled(two.url, JOBS)
        shown = run("nodes", "--json", "--spool", url, cwd=tmp_path)
        assert (shown.status, sorted(node["name"] for node in shown.document["nodes"])) == (0, ["one", "two"])
        leader = shown.document["accounts"]["default"]["leader"]
        first, other = (one, two) if leader == "one" else (two, one)
        first.process.send_signal(signal.SIGKILL)
        answer = other.create(*(job(f"late{number}", day=DAY) for number in range(10)))
        assert answer.status in {200, 202}
        settled(other.url, JOBS + 10)
        again = run("nodes", "--json", "--spool", url, cwd=tmp_path).document["accounts"]["default"]
        assert again["leader"] != leader
        stats = get(f"{sandbox}/sandbox/stats")
        assert (stats["repeats"], stats["overlaps"]) == (0, 0)
        other.process.terminate()
        assert other.process.wait(timeout=20) == 0
    check = run("spool", "check", "--json", "--spool", url, cwd=tmp_path)
    assert (check.status, check.document["problems"]) == (0, [])


def settled(url: str, jobs: int) -> None:
    """Wait until so many jobs are confirmed."""
    end = time.monotonic() + 40
    wanted = f'dispatcher_jobs{{account="default",state="confirmed"}} {float(jobs)}'
    while wanted not in (text := metrics(url)):
        assert time.monotonic() < end, [line for line in text.splitlines() if line.startswith("dispatcher_jobs{")]
        time.sleep(0.2)


def metrics(url: str) -> str:
    import urllib.request  # noqa: PLC0415 - only here

    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as reply:
        text: str = reply.read().decode()
    return text
