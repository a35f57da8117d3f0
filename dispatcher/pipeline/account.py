"""One account at work: its gate, its fleet and its stages, wired together."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from dispatcher.errors import Denied
from dispatcher.flow import AccountGate, parse_limits
from dispatcher.hellotracks import HellotracksClient
from dispatcher.model import points
from dispatcher.model.records import Accepted, Change, NewJob
from dispatcher.model.state import State
from dispatcher.pipeline.assigner import Assigner
from dispatcher.pipeline.assigning import AssignRules
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.fleet_sync import FleetSync, SyncRules
from dispatcher.pipeline.fleet_view import FleetFiles
from dispatcher.pipeline.job_events import JobEvents
from dispatcher.pipeline.journal import Journal
from dispatcher.pipeline.lead import Lead
from dispatcher.pipeline.living_fleet import LivingFleet
from dispatcher.pipeline.lookout import RESTING, Lookout
from dispatcher.pipeline.moves import DeliveryRules
from dispatcher.pipeline.outbox import Collector
from dispatcher.pipeline.reassigner import Reassigner
from dispatcher.pipeline.reassigning import ReassignRules
from dispatcher.pipeline.resolver import Resolver
from dispatcher.pipeline.retention import Retention
from dispatcher.pipeline.sender import Sender
from dispatcher.pipeline.slot_taker import SlotTaker
from dispatcher.pipeline.turn import Turnstile
from dispatcher.settings import Settings
from dispatcher.spool import About, Hint, Spool, cluster_of, limits_of, outbox_of

_log = logging.getLogger("dispatcher.pipeline")

_Part = Assigner | Sender | Resolver | Retention | Collector | Lookout | FleetSync | JobEvents | Reassigner

SPARE_CONNECTIONS = 4
"""while the server is away, probes go past requests that hang; they must not wait for a connection"""


class PipelineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is doing right now.

    Attributes:
        account: its name.
        counts: rows of the spool per state.
        in_flight: requests under way.
        requests: createjobs requests started by this process.
        look_ups: look-up requests made by this process.
        throttled, unknown, refused, unsent: how many createjobs requests ended so.
        assigned, fallback, preassigned: decisions of this process.
        waiting_for: why nothing is sent right now: limit, concurrency, blocked, breaker, denied; "" when something is.
        fleet: what is wrong with the fleet, "" when it is usable.
        silent_s: seconds since the server last answered anything, None before the first answer.
        last_error: the last thing that went wrong between us and the server, in words.
        denied: the server's words when it denied access, "" otherwise.
        leads: whether this process decides who gets the account's jobs.
        leader: name of the node that does, where several share the spool; "" when nobody does.
    """

    account: str
    counts: dict[State, int]
    in_flight: int
    requests: int
    look_ups: int
    throttled: int
    unknown: int
    refused: int
    unsent: int
    assigned: int
    fallback: int
    preassigned: int
    waiting_for: str
    fleet: str
    silent_s: float | None
    last_error: str
    denied: str
    leads: bool = True
    leader: str = ""


class AccountPipeline:
    """The stages of one account. `start` runs them; `stop` ends requests first, then the stages."""

    def __init__(
        self,
        settings: Settings,
        *,
        spool: Spool,
        clock: Clock,
        rng: random.Random,
        files: FleetFiles | None = None,
        live: bool = False,
    ) -> None:
        self.name = settings.account
        self.clock = clock
        self.spool = spool
        self.journal = Journal(spool, clock)
        cluster = cluster_of(spool)
        self.lead = Lead(self.name, cluster, needed=settings.policy != "none")
        self.lookout = Lookout(self.name, clock, journal=self.journal, cluster=cluster)
        self.client = HellotracksClient(
            base_url=settings.base_url,
            api_key=settings.api_key,
            request_timeout_s=settings.request_timeout_s,
            connect_timeout_s=settings.connect_timeout_s,
            max_connections=settings.max_concurrency + SPARE_CONNECTIONS,
        )
        limits = parse_limits(settings.limits)
        shared = limits_of(spool)
        gate = AccountGate(
            limits=limits,
            max_concurrency=settings.max_concurrency,
            now=clock.monotonic(),
            rng=rng,
            shared=shared is not None,
        )
        slots = None
        if shared is not None:
            slots = SlotTaker(self.name, shared=shared, limits=limits, gate=gate, clock=clock, rng=rng)
        self.turnstile = Turnstile(gate, clock, limits=limits, slots=slots)
        rules = _delivery_rules(settings)
        self.fleet = LivingFleet(
            self.name,
            client=self.client,
            turnstile=self.turnstile,
            spool=spool,
            clock=clock,
            lead=self.lead,
            engine_settings=settings.engine,
            timezone=settings.timezone,
            max_age_s=settings.max_fleet_age_s,
            live=live and files is None,
            files=files,
        )
        self.assigner = Assigner(
            self.name,
            spool,
            clock,
            journal=self.journal,
            fleet=self.fleet,
            lead=self.lead,
            rules=_assign_rules(settings),
        )
        self.sender = Sender(
            self.name,
            spool,
            clock,
            journal=self.journal,
            client=self.client,
            turnstile=self.turnstile,
            fleet=self.fleet,
            rules=rules,
            rng=rng,
            max_batch_jobs=settings.max_batch_jobs,
            max_batch_bytes=settings.max_body_bytes,
            max_concurrency=settings.max_concurrency,
            peers=lambda: cluster.peers if cluster is not None else 0,
        )
        self.resolver = Resolver(
            self.name,
            spool,
            clock,
            journal=self.journal,
            client=self.client,
            turnstile=self.turnstile,
            fleet=self.fleet,
            rules=rules,
            rng=rng,
        )
        self.retention = Retention(self.name, spool, clock, retain_days=settings.retain_days)
        self.reassigner = Reassigner(
            self.name,
            spool,
            clock,
            journal=self.journal,
            client=self.client,
            turnstile=self.turnstile,
            fleet=self.fleet,
            lead=self.lead,
            rules=_reassign_rules(settings),
        )
        self.sync = FleetSync(
            self.fleet,
            clock,
            lead=self.lead,
            rules=_sync_rules(settings),
            on_members=self.reassigner.members_changed,
            on_rejected=self.reassigner.rejected,
        )
        self.events = JobEvents(
            self.fleet, lead=self.lead, reread=self.sync.reread, on_rejected=self.reassigner.rejected
        )
        self.fleet.watch(self.assigner.offer_held)
        self.failure: BaseException | None = None
        """what ended a stage; None while all are well"""
        self._settings = settings
        self._grace_s = settings.shutdown_grace_s
        self._live = live
        self._parts: tuple[_Part, ...] = (self.assigner, self.sender, self.resolver, self.retention)
        outbox = outbox_of(spool)
        if outbox is not None:
            self._parts += (Collector(self.name, spool, clock, outbox=outbox, accepted=self.accepted),)
        if cluster is not None:
            self._parts += (self.lookout,)
        if live and files is None:
            self._parts += (self.sync, self.events, self.reassigner)
        self._stages: list[asyncio.Task[None]] = []
        self._on_failure: list[Callable[[], None]] = []
        self._deaf: Callable[[], None] = lambda: None
        self.journal.watch(self._wake)

    async def start(self) -> None:
        await self.client.__aenter__()
        self._deaf = self.lead.watch(self._led, self._hear)
        self.lead.stand(at_once=self._live)
        self._stand_by()
        self._stages = [self._run(part) for part in self._parts]

    def change(self, settings: Settings) -> None:
        """Other settings from now on; see `Dispatcher.change`.

        Raises:
            ConfigError: a setting cannot be used; nothing changes.
        """
        limits, rules = parse_limits(settings.limits), _delivery_rules(settings)
        self.client.change(
            api_key=settings.api_key,
            request_timeout_s=settings.request_timeout_s,
            connect_timeout_s=settings.connect_timeout_s,
            max_connections=settings.max_concurrency + SPARE_CONNECTIONS,
        )
        self.turnstile.change(limits=limits, max_concurrency=settings.max_concurrency)
        before, self._settings = self._settings, settings
        if _fleet_part(before) != _fleet_part(settings):
            self.fleet.change(
                engine_settings=settings.engine, timezone=settings.timezone, max_age_s=settings.max_fleet_age_s
            )
        self.lead.change(needed=settings.policy != "none", steady=self.fleet.steady)
        self._stand_by()
        self.sync.change(_sync_rules(settings))
        self.reassigner.change(_reassign_rules(settings))
        self.assigner.change(_assign_rules(settings))
        self.sender.change(rules, max_batch_jobs=settings.max_batch_jobs, max_concurrency=settings.max_concurrency)
        self.resolver.change(rules)
        self.retention.change(retain_days=settings.retain_days)

    def _stand_by(self) -> None:
        if self._live and self.lead.shared:
            self.fleet.stand_by()

    def resume(self) -> None:
        """Start the stages anew that have ended, because what ended them may have been put right (a denied key).

        What they had claimed is still theirs, so nothing is lost; what is still wrong ends them again.
        """
        self.failure = None
        self.sender.denied = None
        self.turnstile.gate.allow()
        self.sender.beat_at = self.clock.monotonic()
        self.lead.stand(at_once=False)
        for place, part in enumerate(self._parts):
            if self._stages[place].done():
                self._stages[place] = self._run(part)

    def cut_off(self) -> None:
        """Do not wait for requests under way any longer; what became of them is looked up next time."""
        self.sender.cut_off()

    async def stop(self) -> None:
        """Stop within the grace; a request that is cut off stays `sending` and is looked up next time."""
        ended = []
        for part, task in zip(self._parts, self._stages, strict=False):
            if part is not self.sender and part is not self.resolver:
                task.cancel()  # the assigner above all: nothing new is decided while the last requests finish
                ended.append(task)
        resigning = asyncio.create_task(self._resign(ended), name=f"resign {self.name}")
        try:
            await self.sender.drain(within_s=self._grace_s)
            points.reached("close.drained")
        finally:
            for task in self._stages:
                task.cancel()
            await asyncio.gather(*self._stages, resigning, return_exceptions=True)
            self._deaf()
            self._stages.clear()
            await self.turnstile.close()
            await self.client.__aexit__(None, None, None)
            self.fleet.close()

    async def accept(self, jobs: Sequence[NewJob]) -> list[Accepted]:
        """Store checked jobs, all of them or none; returns after the durable commit.

        Raises:
            SpoolFull: no room, nothing was stored.
        """
        points.reached("accept.before")
        rows = await self.spool.accept(self.name, jobs, now=self.clock.now())
        points.reached("accept.after")
        self.accepted()
        return rows

    def accepted(self) -> None:
        """New rows are in the spool."""
        if self.lead.held:
            self.sender.filling = True
            self.assigner.wake()
        else:
            self.lead.tell(About.ACCEPTED)

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call back when a stage ends for a reason that stays (access denied, a bug)."""
        self._on_failure.append(callback)

    @property
    def denied(self) -> Denied | None:
        """The server's refusal of our key, from whichever stage met it first."""
        return self.failure if isinstance(self.failure, Denied) else self.sender.denied

    @property
    def sender_silent_s(self) -> float:
        """Seconds since the sending loop last gave a sign of life; 0 while it does not run, see `failure`."""
        runs = any(
            part is self.sender and not task.done() for part, task in zip(self._parts, self._stages, strict=False)
        )
        return self.clock.monotonic() - self.sender.alive_at if runs else 0.0

    async def status(self) -> PipelineStatus:
        """A report of this moment."""
        sent, decided = self.sender.tally, self.assigner.tally
        last = self.turnstile.last_answer_at
        return PipelineStatus(
            account=self.name,
            counts=await self.spool.counts(self.name),
            in_flight=self.sender.in_flight,
            requests=sent.requests,
            look_ups=self.resolver.requests,
            throttled=sent.throttled,
            unknown=sent.unknown,
            refused=sent.refused,
            unsent=sent.unsent,
            assigned=decided.assigned,
            fallback=decided.fallback,
            preassigned=decided.preassigned,
            waiting_for=self.turnstile.waiting_for,
            fleet=self.fleet.problem,
            silent_s=None if last is None else self.clock.monotonic() - last,
            last_error=self.turnstile.last_error,
            denied=str(self.denied or ""),
            leads=self.lead.held,
            leader=self.lead.leader,
        )

    def _run(self, part: _Part) -> asyncio.Task[None]:
        task = asyncio.create_task(part.run(), name=f"{type(part).__name__.lower()} {self.name}")
        task.add_done_callback(self._ended)
        return task

    async def _resign(self, deciding: Sequence[asyncio.Task[None]]) -> None:
        """Once nothing is decided here any more, another node may."""
        await asyncio.gather(*deciding, return_exceptions=True)
        await self.lead.resign(self.fleet.steady)

    def _wake(self, change: Change) -> None:
        if not change.seqs:
            return
        match change.to:
            case State.ASSIGNED:
                self.sender.filling = self.assigner.busy
                self.sender.wake()
                self.lead.tell(About.DECIDED)
            case State.UNKNOWN:
                self.resolver.wake()
            case State.ACCEPTED | State.HELD:
                self.assigner.wake()
                if not self.lead.held:
                    self.lead.tell(About.ACCEPTED)
            case _:
                pass
        if change.to in RESTING:
            self.lead.tell(About.SETTLED)

    def _led(self) -> None:
        """This process has begun or ceased to lead."""
        self.sender.filling = False
        self.assigner.wake()
        self.sync.wake()

    def _hear(self, hint: Hint) -> None:
        """Another node says that there may be something to do."""
        match hint.about:
            case About.ACCEPTED:
                self.assigner.wake()
            case About.DECIDED:
                self.sender.wake()
            case About.SETTLED:
                self.lookout.wake()
            case About.REREAD if self.lead.held:
                self.sync.reread(hint.days)
            case _:
                pass

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        self.failure = self.failure or error
        self.lead.step_back(self.fleet.steady)
        if isinstance(error, Denied):
            self.sender.denied = error
            self.sender.wake()
        else:
            _log.error("%s ended", task.get_name(), exc_info=error)
        for callback in self._on_failure:
            callback()


def _fleet_part(settings: Settings) -> tuple[dict[str, Any], float]:
    return settings.for_engine(), settings.max_fleet_age_s


def _delivery_rules(settings: Settings) -> DeliveryRules:
    return DeliveryRules(
        max_attempts=settings.max_attempts,
        request_timeout_s=settings.request_timeout_s,
        unknown_grace_s=settings.unknown_grace_s,
    )


def _assign_rules(settings: Settings) -> AssignRules:
    return AssignRules(
        engine=settings.policy != "none",
        fallback=settings.fallback,
        hold_until_s=settings.hold_until_s,
        hold_then=settings.hold_then,
        timezone=settings.timezone,
    )


def _reassign_rules(settings: Settings) -> ReassignRules:
    return ReassignRules(
        on=bool(settings.reassign),
        most=settings.reassign_max,
        send_route_change=bool(settings.send_route_change),
    )


def _sync_rules(settings: Settings) -> SyncRules:
    return SyncRules(
        engine=settings.policy != "none",
        members_s=settings.fleet_sync_s,
        routes_s=settings.routes_sync_s,
        max_age_s=settings.max_fleet_age_s,
        limits=parse_limits(settings.limits),
    )
