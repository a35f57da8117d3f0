"""One spool, one hostile server, many processes that die one after the other; at the end, one comparison there."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dispatcher.model.points import POINTS
from dispatcher.sandbox import Sandbox, SandboxSettings, generated_jobs
from tests.crash.deaths import RANDOM_MOMENT, Death, Deaths

CHILD = Path(__file__).with_name("child.py")
DAY = 20310106
JOBS_PER_LIFE = 40
"""new jobs in the file for each process"""
POISON_EVERY = 100
"""one job in so many is refused by the server, without a word which one it is"""
FAULTS = (
    "close-before:0.03, close-after:0.05, 500-before:0.02, 500-after:0.05, truncate:0.03, html:0.02, fewer:0.03, "
    "slow:0.005, slow-before:0.005, 429:0.02, 503:0.01, status:0.01, shuffle:0.05"
)
SETTINGS = {
    "request_timeout_s": "1",
    "unknown_grace_s": "0.5",
    "shutdown_grace_s": "1",
    "max_batch_jobs": "10",
    "max_concurrency": "4",
    "policy": "none",
    # a death between the write of an attempt and its request costs the attempt; here that happens all the time
    "max_attempts": "1000",
}
SLOW_S = 1.3
"""later than the time-out, sooner than the end of the grace"""
BODIES_AT_ONCE = 12
PATIENCE_S = 90.0
"""no process may take longer to end by itself"""
NEAREST_EVERY = 25
"""one process in so many lets the engine decide"""


@dataclass(slots=True)
class Outcome:
    """What one campaign found at the server.

    Attributes:
        jobs: acknowledged jobs that the server should have.
        lost: of these, those it has not.
        doubled: keys it created more than once.
        overlaps: keys that were under way in two requests at once, or again while a lost request was still at work.
        repeats: keys that were sent again after they had taken effect.
        requests: createjobs requests it saw.
        look_ups: look-ups it saw.
    """

    jobs: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    overlaps: int = 0
    repeats: int = 0
    requests: int = 0
    look_ups: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.overlaps or self.repeats)


class Campaign:
    """Runs processes of one kind on one spool until enough have died, then one more that ends by itself.

    Args:
        folder: for spool and files; its own.
        spool: the setting; "": a file in the folder.
        kind: "submit", the command on a file that grows from process to process, or "embed", a program that never
            submits a job a second time.
        deaths: where the next process dies.
        lives: processes at most.
        seed: of jobs and faults.
    """

    def __init__(self, folder: Path, *, kind: str, deaths: Deaths, lives: int, seed: int, spool: str = "") -> None:
        self.folder = folder
        self.spool = spool or str(folder / "spool.db")
        self.kind = kind
        self.deaths = deaths
        self.lives = lives
        self.seed = seed
        self.jobs = self._make_jobs()
        self.given = 0
        self.acknowledged: set[str] = set()

    def _make_jobs(self) -> list[dict[str, Any]]:
        jobs = list(generated_jobs(JOBS_PER_LIFE * self.lives, seed=self.seed, day=DAY))
        for number, job in enumerate(jobs):
            job["uidSecondary"] = f"{self.kind}-{self.seed}-{number}"
        for job in jobs[::POISON_EVERY]:
            job["destinationName"] = "POISON"
        return jobs

    async def run(self) -> Outcome:
        settings = SandboxSettings(
            api_key="right",
            fleet_size=40,
            latency_s=0.005,
            latency_jitter_s=0.03,
            faults=FAULTS,
            faults_on=("/api/createjobs", "/api/getjobs", "/v1/jobs"),
            slow_s=SLOW_S,
            max_batch_jobs=BODIES_AT_ONCE,
            seed=self.seed,
        )
        async with Sandbox(settings) as sandbox:
            for life in range(self.lives):
                if self.deaths.enough:
                    break
                await self._live(sandbox.url, life, self.deaths.draw())
            status, out, err = await self._spawn(sandbox.url, "never", {}, first=self.given, last=self.given)
            self._check_end(status, out, err)
            await asyncio.sleep(SLOW_S)  # what the server does late, it has done by now
            return self._compare(sandbox)

    async def _live(self, url: str, life: int, death: Death) -> None:
        """One process, from its start to its death, or to its end when its point was not passed."""
        first, self.given = self.given, self.given + JOBS_PER_LIFE
        extra = {"policy": "nearest"} if life % NEAREST_EVERY == NEAREST_EVERY - 1 else {}
        if death.point == "settle.stop":
            extra["api_key"] = "wrong"
        if death.point == "settle.shrink":
            extra["max_batch_jobs"] = str(BODIES_AT_ONCE + 8)
        kill_s = death.after_s if death.point == RANDOM_MOMENT else None
        status, out, err = await self._spawn(url, death.wish, extra, first=first, last=self.given, kill_s=kill_s)
        if self.kind == "embed":
            self.acknowledged.update(out.decode().split("\n")[:-1])
        if status == -signal.SIGKILL:
            self.deaths.came[death.point] += 1
        else:
            assert status in {0, 1, 2}, f"ended with {status} ({death.wish}): {err.decode()}"
            assert b"Traceback" not in err or self.kind == "embed", err.decode()

    async def _spawn(
        self,
        url: str,
        wish: str,
        extra: dict[str, str],
        *,
        first: int,
        last: int,
        kill_s: float | None = None,
    ) -> tuple[int, bytes, bytes]:
        file = self.folder / "jobs.jsonl"
        file.write_bytes(b"".join(orjson.dumps(job, option=orjson.OPT_APPEND_NEWLINE) for job in self.jobs[:last]))
        settings = {"api_key": "right", "base_url": url, "spool": self.spool, "node": "crash", **SETTINGS, **extra}
        own = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
        how = ["submit", str(file)] if self.kind == "submit" else ["embed", str(file), str(first), str(last)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(CHILD),
            wish,
            *how,
            cwd=self.folder,
            env=own | {f"DISPATCHER_{name.upper()}": value for name, value in settings.items()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        loop = asyncio.get_running_loop()
        killer = None if kill_s is None else loop.call_later(kill_s, _signal, process, signal.SIGKILL)
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                out, err = await process.communicate()
        except TimeoutError:
            _signal(process, signal.SIGABRT)
            _, err = await process.communicate()
            seconds = time.monotonic() - began
            raise AssertionError(f"{wish}: still at work after {seconds:.0f} s: {err.decode()[-3000:]}") from None
        finally:
            if killer:
                killer.cancel()
        assert process.returncode is not None
        return process.returncode, out, err

    def _check_end(self, status: int, out: bytes, err: bytes) -> None:
        """The last process ended by itself, and says what the server will show."""
        if self.kind == "embed":
            assert status == 0, err.decode()
            return
        document = orjson.loads(out)
        poison = sum(job["destinationName"] == "POISON" for job in self.jobs[: self.given])
        assert status == 1, err.decode()
        assert (document["confirmed"], document["rejected"]) == (self.given - poison, poison), document

    def _compare(self, sandbox: Sandbox) -> Outcome:
        given = self.jobs[: self.given]
        good = [job["uidSecondary"] for job in given if job["destinationName"] != "POISON"]
        bad = {job["uidSecondary"] for job in given} - set(good)
        due = set(good) if self.kind == "submit" else self.acknowledged - bad
        stats = sandbox.stats()
        assert not [key for key in bad if sandbox.created(key)], "the server took poison"
        return Outcome(
            jobs=len(due),
            lost=sorted(key for key in due if not sandbox.created(key)),
            doubled=sorted(key for key in good if sandbox.created(key) > 1),
            overlaps=stats["overlaps"] + stats["late_overlaps"],
            repeats=stats["repeats"] + stats["updates"],
            requests=stats["requests"].get("/api/createjobs", 0),
            look_ups=stats["requests"].get("/api/getjobs", 0) + stats["requests"].get("/v1/jobs", 0),
        )


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


assert RANDOM_MOMENT not in POINTS
