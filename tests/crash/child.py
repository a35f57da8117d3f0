"""A process that is meant to die: the real dispatcher, with somebody who kills it at a named point.

    python child.py KILL submit FILE FLAG...         what `dispatcher submit FILE --json FLAG...` does
    python child.py KILL embed FILE FIRST LAST       a program that embeds `Dispatcher` and prints each acknowledged key

KILL is `never`, or `POINT:N` or `POINT:N+SECONDS`: SIGKILL when the point is passed for the N-th time, or so much
later. For the points of the end a SIGTERM comes first, when the first request goes out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from functools import partial
from itertools import islice
from pathlib import Path

import orjson

from dispatcher.model import points

CHUNK_JOBS = 10


class Killer:
    """Ends this process, at once and without a word, when its point is passed for the n-th time."""

    def __init__(self, wish: str) -> None:
        self.point, _, rest = wish.partition(":")
        passing, _, delay = rest.partition("+")
        assert self.point in points.POINTS, self.point
        self.left = int(passing)
        self.delay_s = float(delay or 0)
        self.asked = False
        self.lock = threading.Lock()

    def __call__(self, name: str) -> None:
        if name == "send.written" and self.point.startswith("close.") and not self.asked:
            self.asked = True
            os.kill(os.getpid(), signal.SIGTERM)
        if name != self.point:
            return
        with self.lock:
            self.left -= 1
            now = self.left == 0
        if now and self.delay_s:
            threading.Timer(self.delay_s, die).start()
        elif now:
            die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hurry() -> None:
    """Retries wait half a second at most: after ten deaths a job would be given a minute's rest."""
    from dispatcher.flow import full_jitter_s  # noqa: PLC0415 - as below
    from dispatcher.pipeline import moves  # noqa: PLC0415 - the killer is in place before anything else is

    vars(moves)["full_jitter_s"] = partial(full_jitter_s, cap_s=0.5)


async def embed(file: Path, first: int, last: int) -> None:
    """Submit the jobs `first` to `last` of the file in small calls; print each key once it is acknowledged.

    What earlier processes left in the spool is delivered too; ends when nothing is under way any more. SIGTERM cancels
    the task in the middle of whatever it does.
    """
    from dispatcher import Dispatcher, State  # noqa: PLC0415 - as above

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    waiting = [state for state in State if not state.settled]
    with file.open("rb") as lines:
        jobs = [orjson.loads(line) for line in islice(lines, first, last)]
    async with Dispatcher() as dispatcher:
        for start in range(0, len(jobs), CHUNK_JOBS):
            for receipt in await dispatcher.submit(jobs[start : start + CHUNK_JOBS]):
                print(receipt.key, flush=True)  # noqa: T201 - this is what it is for
            await asyncio.sleep(0.02)
        while sum(map((await dispatcher.counts()).__getitem__, waiting)):
            if dispatcher.pipeline.failure:
                sys.exit(2)  # the key was refused
            await asyncio.sleep(0.05)


def main() -> None:
    _, wish, how, *arguments = sys.argv
    if wish != "never":
        points.reached = Killer(wish)
    hurry()
    if how == "embed":
        file, first, last = arguments
        try:
            asyncio.run(embed(Path(file), int(first), int(last)))
        except asyncio.CancelledError:
            sys.exit(1)
        return
    from dispatcher.cli import main as command  # noqa: PLC0415 - as above

    sys.argv = ["dispatcher", "submit", arguments[0], "--json", *arguments[1:]]
    command()


if __name__ == "__main__":
    main()
