"""One account as the daemon's clients meet it: take jobs in, wait for them, say what is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.daemon.comeback import RETRY_S, Comeback
from dispatcher.daemon.metrics import Meters
from dispatcher.daemon.outcomes import Outcomes
from dispatcher.daemon.reply import STOPPING, STOPPING_S, busy
from dispatcher.errors import SpoolFull
from dispatcher.model.records import Accepted, NewJob, Receipt
from dispatcher.pipeline import Dispatcher
from dispatcher.settings import Settings


@dataclass(slots=True)
class AcceptTally:
    """Counters of this process.

    Attributes:
        requests: requests made durable.
        jobs: jobs that they carried.
        seconds: how long they waited for the disk, all together.
    """

    requests: int = 0
    jobs: int = 0
    seconds: float = 0.0

    def add(self, jobs: int, seconds: float) -> None:
        """One more request."""
        self.requests += 1
        self.jobs += jobs
        self.seconds += seconds


class Desk:
    """Jobs go in here.

    Args:
        dispatcher: open.
        meters: where acceptances are counted.
        retry_denied_s: between two tries of an account that was denied.

    Attributes:
        tally: what was accepted since the start.
        accepting: requests whose jobs are on their way into the spool, or that wait for outcomes.
        idle: set while there are none.
        stopping: nothing is taken any more.
    """

    def __init__(self, dispatcher: Dispatcher, *, meters: Meters, retry_denied_s: float = RETRY_S) -> None:
        self.dispatcher = dispatcher
        self.accepting = 0
        self.tally = AcceptTally()
        self.idle = asyncio.Event()
        self.idle.set()
        self.stopping = False
        self._outcomes = Outcomes(dispatcher)
        self._comeback = Comeback(dispatcher.pipeline, retry_s=retry_denied_s)
        self._caretaker = asyncio.create_task(self._comeback.run(), name=f"comeback {dispatcher.account}")
        self._meters = meters
        self._full = ""
        self._full_until = 0.0

    @property
    def settings(self) -> Settings:
        """The account's settings as they are now."""
        return self.dispatcher.settings

    @property
    def problem(self) -> str:
        """Why jobs cannot be taken or will not be sent right now, "" when all is well."""
        if self._full and time.monotonic() < self._full_until:
            return self._full
        return self._comeback.problem

    def __enter__(self) -> None:
        """A request begins: its jobs are on their way in until the block ends."""
        self.accepting += 1
        self.idle.clear()

    def __exit__(self, *_: object) -> None:
        self.accepting -= 1
        if not self.accepting:
            self.idle.set()

    async def accept(self, jobs: Sequence[NewJob], *, client: str = "") -> list[Accepted]:
        """Store the jobs of a request durably, all of them or none; `client` is the name of whoever sent it.

        Raises:
            SpoolFull: no room.
            Refusal: 503, the daemon stops.
        """
        if self.stopping:
            raise busy(STOPPING, retry_after_s=STOPPING_S, close=True)
        began = time.perf_counter()
        try:
            rows = await self.dispatcher.pipeline.accept(jobs)
        except SpoolFull as full:
            self._full, self._full_until = str(full), time.monotonic() + 2 * full.retry_after_s
            raise
        self._full = ""
        took_s = time.perf_counter() - began
        self.tally.add(len(jobs), took_s)
        self._meters.accepted(self.dispatcher.account, len(jobs), took_s, client=client)
        return rows

    async def settle(self, rows: Sequence[Accepted], *, timeout_s: float) -> list[Receipt]:
        """Wait until these jobs are through or held, at most `timeout_s`; where each is then, in the same order.

        Nobody waits while nothing is sent.
        """
        seqs = {row.seq for row in rows}
        await self._outcomes.wait(seqs, timeout_s=0 if self._comeback.problem else timeout_s)
        found = {receipt.seq: receipt for receipt in await self.dispatcher.look(seqs)}
        return [found[row.seq] for row in rows]

    def change(self, settings: Settings) -> None:
        """Work with other settings from now on, as far as they are live; see `Dispatcher.change`."""
        self.dispatcher.change(settings)
        self._comeback.hurry()

    def release(self) -> None:
        """The daemon stops: nothing more is taken, and everybody who waits is answered now."""
        self.stopping = True
        self._outcomes.release()

    async def close(self) -> None:
        """Before the dispatcher is closed."""
        self._outcomes.release()
        self._caretaker.cancel()
        await asyncio.gather(self._caretaker, return_exceptions=True)
