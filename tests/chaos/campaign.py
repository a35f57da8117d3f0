"""One chaos run: a hostile server, three daemons, three clients, a storm, and what is left when it is over."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from dispatcher.spool.postgres import PostgresView
from tests import postgres
from tests.acceptance.serving import job
from tests.chaos.clients import Handed, hand_in
from tests.chaos.daemon import Daemon
from tests.chaos.server import Seen
from tests.chaos.storm import Blow, Storm
from tests.crash.campaign import FAULTS, SLOW_S
from tests.unit.pipeline.living import member

SERVER = Path(__file__).with_name("server.py")
NAMES = ("north", "east", "south")
CLIENTS = 3
LEASE_S = 2.0
LIMITS = "12/s, 500/min"
WINDOWS = ((12, 1.0), (500, 60.0))
"""The same: requests, seconds."""
MEMBERS = 12
CAP = 5
"""Open jobs of a member on a day: with two leaders somebody gets more."""
JOBS_A_DAY = 90
"""After so many jobs they are for the next day: half as many again as fit, and always a day that is filling up."""
FIRST_DAY = date(2031, 1, 6)
PAUSE_S = (0.02, 0.15)
PATIENCE_S = 120.0
"""Until everything that was acknowledged is at the server, after the storm."""
SEEN_TOGETHER_S = 0.05
"""What is seen so shortly before or after the loop has noticed that it was late, was seen late with it."""
OPEN = "SELECT count(*) FROM dispatcher.jobs WHERE state <= 4"
LEFT = """SELECT state, owner, count(*), min(next_at), extract(epoch FROM clock_timestamp())::float8, max(error)
FROM dispatcher.jobs WHERE state <= 4 GROUP BY state, owner"""
SETTINGS = (
    *("--max-batch-jobs", "10", "--max-concurrency", "3", "--limits", LIMITS, "--fallback", "unassigned"),
    *("--set", "max_attempts=1000", "--set", "request_timeout_s=1", "--set", "unknown_grace_s=0.5"),
    *("--set", "shutdown_grace_s=2", "--set", f"max_jobs_per_day={CAP}"),
    *("--set", "fleet_sync_s=10", "--set", "routes_sync_s=10"),
)


@dataclass(slots=True)
class Outcome:
    """What one run found.

    Attributes:
        seconds: of the storm.
        policy, seed: of the run.
        acknowledged: jobs that a daemon has answered for.
        lost: of these, those that the server has not got.
        doubled: keys it created more than once.
        overbooked: (day, member) with more jobs than fit, and how many.
        booked: jobs that the engine gave to a member.
        over: by limit, arrivals that were certainly too many.
        peaks: by limit, the most arrivals within one window, as seen.
        fell: daemons that ended by themselves.
        ends: exit statuses at the end.
        problems: what `spool check` finds.
        began: monotonic time of the storm's begin.
        blows, handed, seen: what was done, handed in, and seen at the server.
        settled_s: from the storm's end until everything was at the server.
    """

    seconds: float
    policy: str
    seed: int
    acknowledged: int
    lost: list[str]
    doubled: list[str]
    overbooked: dict[str, int]
    booked: int
    over: dict[str, int]
    peaks: dict[str, int]
    fell: list[int]
    ends: list[int]
    problems: list[str]
    began: float
    blows: list[Blow]
    handed: list[Handed]
    seen: Seen
    settled_s: float
    wrong: list[str] = field(init=False)
    """In words; empty when all is well."""

    def __post_init__(self) -> None:
        stats = self.seen.stats
        found = {
            "acknowledged and not at the server": len(self.lost),
            "created more than once": len(self.doubled),
            "keys in two requests at once": stats["overlaps"],
            "keys sent while a lost request was still at work": stats["late_overlaps"],
            "keys sent again after they had taken effect": stats["repeats"],
            "jobs sent again with other content": stats["updates"],
            "members with more jobs than fit": len(self.overbooked),
            "requests above a limit": sum(self.over.values()),
            "daemons that ended by themselves": len(self.fell),
            "daemons that did not stop in order": sum(end != 0 for end in self.ends),
            "problems in the spool": len(self.problems),
        }
        self.wrong = [f"{times} {what}" for what, times in found.items() if times]


@contextmanager
def server(folder: Path, wish: dict[str, Any]) -> Iterator[tuple[str, Callable[[], Seen]]]:
    """URL of a hostile server, and what ends it and tells what it saw."""
    asked, report = folder / "server.json", folder / "seen.json"
    asked.write_bytes(msgspec.json.encode(wish))
    command = [sys.executable, str(SERVER), str(asked), str(report)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=SERVER.parents[2]) as process:

        def seen() -> Seen:
            process.terminate()
            process.wait(timeout=30)
            return msgspec.json.decode(report.read_bytes(), type=Seen)

        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "ready at " in line, line
            yield line.rpartition(" ")[2].strip(), seen
        finally:
            process.kill()


async def run(folder: Path, dsn: str, *, seconds: float, policy: str, seed: int) -> Outcome:
    """A storm of so many seconds, then everything that was acknowledged has to arrive.

    Args:
        folder: for logs; its own.
        dsn: of an empty database.
        seconds: of the storm.
        policy: of the daemons, such as "nearest" or "none".
        seed: of faults and blows; what is under way when they come is left to the machine.
    """
    wish = {
        "api_key": "right",
        "members": [member(f"m{number:02}", 45.07 + number / 200) for number in range(MEMBERS)],
        "latency_s": 0.005,
        "latency_jitter_s": 0.03,
        "faults": f"{FAULTS}, 429-retry-after:0.01",
        "faults_on": ("/api/createjobs", "/api/getjobs", "/v1/jobs"),
        "slow_s": SLOW_S,
        "limits": LIMITS,
        "seed": seed,
    }
    with server(folder, wish) as (url, seen):
        flags = (*SETTINGS, "--policy", policy, "--base-url", url, "--spool", f"{dsn}{_joint(dsn)}lease_s={LEASE_S}")
        daemons = [Daemon(name, folder, flags) for name in NAMES]
        storm = Storm(
            daemons, dsn, lease_s=LEASE_S, dice=random.Random(seed), database=not os.environ.get(postgres.VARIABLE)
        )
        try:
            await asyncio.gather(*(daemon.start() for daemon in daemons))
            stop, began, number = asyncio.Event(), time.monotonic(), count()

            def make(key: str) -> dict[str, Any]:
                day = FIRST_DAY + timedelta(days=next(number) // JOBS_A_DAY)
                return job(key, day=int(day.strftime("%Y%m%d")), onSiteSeconds=60)

            clients = [
                asyncio.create_task(hand_in(daemons, client, make, stop, pause_s=PAUSE_S)) for client in range(CLIENTS)
            ]
            await storm.rage(seconds)
            stop.set()
            handed = await asyncio.gather(*clients)
            ended = time.monotonic()
            await _until_settled(dsn, daemons)
            settled_s = time.monotonic() - ended
            await asyncio.sleep(SLOW_S)
            ends = [await daemon.stop() for daemon in daemons]
        finally:
            for daemon in daemons:
                daemon.send(signal.SIGCONT)
                daemon.send(signal.SIGKILL)
        found = seen()
    keys = {key for one in handed for key in one.acknowledged}
    taken = Counter((found.days[key], worker) for key, worker in found.workers.items() if worker)
    return Outcome(
        seconds=seconds,
        policy=policy,
        seed=seed,
        acknowledged=len(keys),
        lost=sorted(key for key in keys if not found.creates.get(key)),
        doubled=sorted(key for key, times in found.creates.items() if times > 1),
        overbooked={f"{day} {worker}": jobs for (day, worker), jobs in taken.items() if jobs > CAP},
        booked=taken.total(),
        over={limit: too_many(found, *window) for limit, window in zip(LIMITS.split(", "), WINDOWS, strict=True)},
        peaks=found.stats["peaks"],
        fell=[status for daemon in daemons for status in daemon.fell],
        ends=ends,
        problems=await asyncio.to_thread(_problems, dsn),
        began=began,
        blows=storm.blows,
        handed=handed,
        seen=found,
        settled_s=settled_s,
    )


def too_many(seen: Seen, most: int, window_s: float) -> int:
    """Arrivals that came too soon after the one `most` before them, whatever the server's own lateness.

    A request is seen when it has come, or later: so the earlier one of such a pair may have come as much before as the
    server's loop was late at that moment.
    """
    times = seen.arrivals
    late = sorted(seen.late)
    found, at = 0, 0
    for earlier, later in zip(times, times[most:], strict=False):
        while at < len(late) and late[at][0] < earlier - SEEN_TOGETHER_S:
            at += 1
        excuse = late[at][1] if at < len(late) and late[at][0] - SEEN_TOGETHER_S <= earlier else 0.0
        found += later - earlier + excuse < window_s
    return found


async def _until_settled(dsn: str, daemons: Sequence[Daemon]) -> None:
    """Until no job is on its way any more.

    Raises:
        AssertionError: it takes too long; with what is left.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            while (await postgres.fetch(dsn, OPEN))[0][0]:  # noqa: ASYNC110 - looks from outside
                await asyncio.sleep(0.2)
    except TimeoutError:
        left = await postgres.fetch(dsn, LEFT)
        nodes = await postgres.fetch(dsn, "SELECT id, name, ended_at FROM dispatcher.nodes ORDER BY id")
        logs = "\n".join(f"{daemon.name}: {daemon.log.read_text()[-2000:]}" for daemon in daemons)
        raise AssertionError(f"on their way still: {left}\nnodes: {nodes}\n{logs}") from None


def _problems(dsn: str) -> list[str]:
    with PostgresView(dsn) as view:
        return view.problems()


def _joint(dsn: str) -> str:
    return "&" if "?" in dsn else "?"
