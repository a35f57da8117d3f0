"""The reassign stage: jobs that their member rejected, or left without starting, are offered to the next best."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dispatcher.errors import Denied, Rejected, RemoteError, SpoolError
from dispatcher.hellotracks import HellotracksClient
from dispatcher.model.event import Event
from dispatcher.model.records import Receipt
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.journal import Journal
from dispatcher.pipeline.lead import Lead
from dispatcher.pipeline.living_fleet import LivingFleet
from dispatcher.pipeline.reassigning import (
    ReassignRules,
    Why,
    edit,
    is_ours,
    passed_on,
    question,
    reassigned,
    still_open,
)
from dispatcher.pipeline.roster import RosterChange
from dispatcher.pipeline.turn import Turnstile
from dispatcher.spool import Spool

if TYPE_CHECKING:
    from engine import Decision, Engine

_log = logging.getLogger("dispatcher.pipeline")

MOST_WAITING = 10_000
"""Jobs that wait to be offered; of more, the next reading of their day brings them back."""
BATCH_JOBS = 50
"""Looked up and edited with one request each."""
AGAIN_S = 5.0
"""after a request that failed"""


class Reassigner:
    """Offers jobs anew for as long as it runs, while this process leads.

    Only jobs whose member was chosen here, and who still is the member at the server: what a person decided stays. Each
    is looked up right before. Should the process end between the edit and the note of it, the job counts as given to
    its new member by hand.

    Args:
        account: its name.
        spool: knows whom each job was given to.
        clock: source of time.
        journal: writes down who has it now.
        client: asked and told.
        turnstile: the account's.
        fleet: finds the next best.
        lead: of the account; looked at right before each edit, which no spool can fence.
        rules: see there.

    Attributes:
        moved: jobs that got another member.
        left: members who went off duty and are not back.
    """

    def __init__(
        self,
        account: str,
        spool: Spool,
        clock: Clock,
        *,
        journal: Journal,
        client: HellotracksClient,
        turnstile: Turnstile,
        fleet: LivingFleet,
        lead: Lead,
        rules: ReassignRules,
    ) -> None:
        self.moved = 0
        self.left: set[str] = set()
        self._account = account
        self._spool = spool
        self._clock = clock
        self._journal = journal
        self._client = client
        self._turnstile = turnstile
        self._fleet = fleet
        self._lead = lead
        self._rules = rules
        self._waiting: dict[str, Why] = {}
        self._sent: dict[str, Decision] = {}
        self._look = False
        self._woken = asyncio.Event()

    def change(self, rules: ReassignRules) -> None:
        """Go by other rules, from the next job on."""
        self._rules = rules

    def rejected(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        """Members rejected these jobs."""
        for job in jobs:
            self._put(job.get("uidSecondary"), Why.REJECTED)

    def members_changed(self, change: RosterChange) -> None:
        """The members were read: some may have left, with jobs that they have not begun."""
        self.left = (self.left | change.left) - change.back
        if self.left and self._rules.on:
            self._look = True
            self._woken.set()

    async def run(self) -> None:
        """Loop until cancelled.

        Raises:
            Denied: the server refused the key.
        """
        while True:
            self._woken.clear()
            try:
                while self._look or self._waiting:
                    await self.step()
            except (RemoteError, SpoolError) as error:
                if isinstance(error, Denied) and error.about_key:
                    raise
                _log.info("jobs could not be offered to others, trying again: %s", error)
                await asyncio.sleep(AGAIN_S)
                continue
            except Exception:  # noqa: BLE001 - the jobs stay with whom they are
                _log.exception("jobs could not be offered to others")
            await self._woken.wait()

    async def step(self) -> None:
        """Offer what waits, up to a batch."""
        if not self._lead.held:
            self._look = False
            self._waiting.clear()
            self._sent.clear()
            self.left = set()
            return
        if self._look:
            self._look = False
            for key in await self._fleet.ask(partial(_unbegun, names=sorted(self.left))) or ():
                self._put(key, Why.OFF_DUTY)
        batch = dict(list(self._waiting.items())[:BATCH_JOBS])
        if batch:
            await self._offer(batch)
            for key in batch:
                self._waiting.pop(key, None)

    def _put(self, key: object, why: Why) -> None:
        if self._rules.on and isinstance(key, str) and key and len(self._waiting) < MOST_WAITING:
            self._waiting[key] = why
            self._woken.set()

    async def _offer(self, batch: Mapping[str, Why]) -> None:
        receipts = {key: await self._spool.receipt(self._account, key) for key in batch}
        ours = {key: one for key, one in receipts.items() if one is not None and is_ours(one, rules=self._rules)}
        if not ours:
            return
        async with self._turnstile.request():
            listed = await self._client.get_jobs(ids=[str(one.remote_id) for one in ours.values()])
        there = {str(job.get("id")): job for job in listed}
        for key, receipt in ours.items():
            job = there.get(str(receipt.remote_id))
            sent = self._sent.pop(key, None)
            if job is None:
                continue
            if sent is not None and job.get("worker") == sent.worker:  # an edit that arrived, though nobody told us
                await self._write(receipt, sent, batch[key])
            elif still_open(job, receipt.worker or "", batch[key]):
                await self._offer_one(receipt, job, batch[key])

    async def _offer_one(self, receipt: Receipt, job: Mapping[str, Any], why: Why) -> None:
        fleet, worker = self._fleet, receipt.worker or ""
        bodies = await self._spool.bodies(self._account, [receipt.seq])
        before = [str(one.get("from")) for one in passed_on(receipt.note)]
        asked = question(bodies[receipt.seq], worker, before)
        async with fleet.steady:
            if not await fleet.bring_up({receipt.day}):
                return
            decision = await fleet.reassign(asked)
            if decision.worker is None:
                if why is Why.OFF_DUTY:
                    await fleet.take_events((), [job], {})
                _log.info(Event("nobody else for a job", account=self._account, key=receipt.key, why=why.value))
                return
        try:
            if not await self._edit(receipt, decision, edit(job, decision.worker)):
                return
        except Rejected as error:
            _log.warning("%s stays with %s: %s", receipt.key, worker, error)
            return
        finally:
            fleet.settled(receipt.key)
        await self._write(receipt, decision, why)

    async def _edit(self, receipt: Receipt, decision: Decision, fields: Mapping[str, Any]) -> bool:
        """Change the job at the server; False: it was left alone, because another node may lead now."""
        try:
            async with self._turnstile.request():
                if not self._lead.certain:
                    await self._fleet.free([receipt.key], days=(receipt.day,))
                    return False
                self._sent[receipt.key] = decision
                await self._client.edit_jobs(
                    {str(receipt.remote_id): fields}, send_route_change=self._rules.send_route_change
                )
        except RemoteError as error:
            if isinstance(error, Rejected):
                self._sent.pop(receipt.key, None)
            await self._fleet.free([receipt.key])
            self._fleet.days.mark([*self._fleet.days], now=self._clock.monotonic())
            raise
        self._sent.pop(receipt.key, None)
        return True

    async def _write(self, receipt: Receipt, decision: Decision, why: Why) -> None:
        await self._journal.write([reassigned(receipt, decision, why=why, at=self._clock.now())])
        self.moved += 1
        _log.info(
            Event(
                "job reassigned",
                account=self._account,
                key=receipt.key,
                why=why.value,
                before=receipt.worker,
                worker=decision.worker,
            )
        )


def _unbegun(engine: Engine, names: Iterable[str]) -> list[str]:
    """Keys of the open stops that these members have today."""
    known = set(engine.members)
    return [stop.key for name in names if name in known for stop in engine.route(name, 0) if stop.key]
