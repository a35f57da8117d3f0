"""How long an account is without a leader when the daemon that leads it is killed: 30 kills, one after the other.

    python -m benchmarks.failover --json
    python -m benchmarks.failover --write      puts the figures into docs/postgres.md

Three daemons with the engine on one PostgreSQL (`fsync` on) and a sandbox, everything as set up by default: the lease
is 5 s. A client hands in a job every 50 ms to whichever daemon lives. The one that leads is killed (SIGKILL). Measured
from there, in the database: until the first job that was accepted after the kill has been decided (the next leader has
read members and day routes by then), and until no job waits any more that was accepted before that moment. The killed
daemon starts again under its name, at once or only when its lease has long run out, in turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.marked import filled, markdown
from benchmarks.postgres import missing, server
from benchmarks.rows import arguments, report
from benchmarks.server import DAY, sandbox
from dispatcher.sandbox import generated_jobs

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "postgres.md"
NAMES = ("north", "east", "south")
VARIANTS = ("starts again at once", "stays away for 8 s")
AWAY_S = 8.0
MEMBERS = 500
TRICKLE_S = 0.05
LOOK_S = 0.01
WARM_S = 20.0
"""Until the daemons have loaded their engines."""
CALM_S = 1.0
"""Between everybody being well again and the next kill."""
PATIENCE_S = 60.0
PROMISED_S = 10.0
LEADER = """SELECT n.name FROM dispatcher.leaders AS l JOIN dispatcher.nodes AS n ON n.id = l.node
WHERE n.ended_at IS NULL AND n.deadline > clock_timestamp()"""
NODES = "SELECT count(*) FROM dispatcher.nodes WHERE ended_at IS NULL AND deadline > clock_timestamp()"
DECIDED = """SELECT EXISTS (SELECT FROM dispatcher.contents AS c JOIN dispatcher.jobs AS j USING (seq)
WHERE c.accepted_at > $1 AND c.seq > $2 AND j.state <> 0)"""
WAITING = """SELECT EXISTS (SELECT FROM dispatcher.jobs AS j JOIN dispatcher.contents AS c USING (seq)
WHERE j.state = 0 AND j.state <= 4 AND c.accepted_at < $1)"""


@dataclass(frozen=True, slots=True)
class Kill:
    """One leader's end.

    Attributes:
        variant: what its daemon did then.
        first_s: until a job accepted after it was decided.
        all_s: until none of those that had waited meanwhile did any more.
    """

    variant: str
    first_s: float
    all_s: float


class Daemons:
    """Three daemons, each under its name."""

    def __init__(self, folder: Path, dsn: str, behind: str) -> None:
        self._folder = folder
        self._flags = ("--base-url", behind, "--spool", dsn, "--listen", "127.0.0.1:0")
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self.urls: dict[str, str] = {}

    async def start(self, name: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DISPATCHER_")}
        with (self._folder / f"{name}.log").open("ab") as log:
            process = self._processes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dispatcher", "run", "--node", name, *self._flags),
                cwd=self._folder,
                env=kept | {"DISPATCHER_API_KEY": "failover", "PYTHONPATH": str(ROOT)},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        if "ready at " not in line:
            raise SystemExit(f"{name} did not start: {(self._folder / f'{name}.log').read_text()[-1000:]}")
        self.urls[name] = line.partition("ready at ")[2].split(",")[0]

    async def kill(self, name: str) -> float:
        """Unix time of the kill."""
        del self.urls[name]
        process = self._processes[name]
        at = time.time()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        return at

    async def stop(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def trickle(daemons: Daemons) -> None:
    """A job every 50 ms, to the daemons in turns."""
    jobs = generated_jobs(1_000_000, seed=2, day=DAY)
    headers = {"API-Key": "any", "Prefer": "respond-async"}
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        for number in itertools.count():
            urls = list(daemons.urls.values())
            body = {"data": {"jobs": [next(jobs) | {"uidSecondary": f"T{number}"}]}}
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(f"{urls[number % len(urls)]}/api/createjobs", json=body) as reply:
                    await reply.read()
            await asyncio.sleep(TRICKLE_S)


async def until(ask: Any, sql: str, *values: object, wanted: object = True) -> None:
    """Ask until the answer is what is wanted.

    Raises:
        TimeoutError: it takes a minute.
    """
    async with asyncio.timeout(PATIENCE_S):
        while await ask(sql, *values) != wanted:  # noqa: ASYNC110 - looks from outside
            await asyncio.sleep(LOOK_S)


async def one_kill(ask: Any, daemons: Daemons, variant: str) -> Kill:
    """Kill the leader, and look until the next one has caught up."""
    await until(ask, NODES, wanted=len(NAMES))
    await until(ask, WAITING, time.time() - CALM_S, wanted=False)
    await asyncio.sleep(CALM_S)
    leader = await ask(LEADER)
    newest = await ask("SELECT max(seq) FROM dispatcher.contents")
    killed = await daemons.kill(leader)

    async def come_back() -> None:
        if variant != VARIANTS[0]:
            await asyncio.sleep(AWAY_S)
        await daemons.start(leader)

    coming = asyncio.create_task(come_back())
    await until(ask, DECIDED, killed, newest)
    first = time.time()
    await until(ask, WAITING, first, wanted=False)
    through = time.time()
    await coming
    return Kill(variant, first - killed, through - killed)


async def campaign(dsn: str, behind: str, folder: Path, kills: int) -> list[Kill]:
    """So many kills."""
    asyncpg: Any = importlib.import_module("asyncpg")
    daemons = Daemons(folder, dsn, behind)
    connection = await asyncpg.connect(dsn)
    found = []
    try:
        await asyncio.gather(*map(daemons.start, NAMES))
        handing = asyncio.create_task(trickle(daemons))
        await asyncio.sleep(WARM_S)
        for number in range(kills):
            found.append(await one_kill(connection.fetchval, daemons, VARIANTS[number % len(VARIANTS)]))
            sys.stderr.write(f"{number + 1}: {found[-1]}\n")
        handing.cancel()
    finally:
        await daemons.stop()
        await connection.close()
    return found


def row(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    """Minimum, quantiles, maximum, and how many in each second."""
    ordered = sorted(seconds)
    histogram = {
        f"{low}-{low + 1} s": sum(low <= one < low + 1 for one in ordered) for low in range(int(ordered[-1]) + 1)
    }
    return {
        "row": name,
        "kills": len(ordered),
        "min_s": round(ordered[0], 2),
        "median_s": round(statistics.median(ordered), 2),
        "p95_s": round(ordered[max(0, -(-len(ordered) * 95 // 100) - 1)], 2),
        "max_s": round(ordered[-1], 2),
        "histogram": histogram,
    }


def rows_of(kills: Sequence[Kill]) -> list[dict[str, Any]]:
    rows = []
    for variant in (*VARIANTS, "both"):
        ours = [kill for kill in kills if variant in {"both", kill.variant}]
        if ours:
            rows.append(row(f"{variant}: first decision", [kill.first_s for kill in ours]))
            rows.append(row(f"{variant}: nobody waits", [kill.all_s for kill in ours]))
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """For docs/postgres.md."""
    figures = ("kills", "min_s", "median_s", "p95_s", "max_s")
    lines = [("its daemon …", "kills", "least, s", "median, s", "95 %, s", "most, s", "how many in which second")]
    for one in rows:
        spread = ", ".join(f"{span}: {times}" for span, times in one["histogram"].items() if times)
        lines.append((one["row"], *(f"{one[name]:g}" for name in figures), spread))
    return markdown(lines)


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30, help="leaders to kill (default 30)")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/postgres.md")
    options = parser.parse_args()
    if why := missing():
        sys.stderr.write(f"failover: {why}\n")
        report("failover", [], {}, as_json=options.json)
        return
    with tempfile.TemporaryDirectory() as folder, server() as dsn, sandbox("--fleet-size", str(MEMBERS)) as behind:
        kills = asyncio.run(campaign(dsn, behind, Path(folder), 3 if options.quick else options.kills))
    rows = rows_of(kills)
    if options.write:
        DOCUMENT.write_text(filled(DOCUMENT.read_text("utf-8"), {"failover": table(rows)}), "utf-8")
    ratios = {"longest / promised 10 s": max(kill.first_s for kill in kills) / PROMISED_S}
    report("failover", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
