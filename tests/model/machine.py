"""The delivery rules and a real spool against a model server, one small step at a time, with a crash among the steps.

Every step is what one stage does between two writes. Requests and look-ups are under way across steps, so that
everything may happen in between: time, other requests, the end of the process.
"""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dispatcher.errors import NotSent, OutcomeUnknown, Rejected, RemoteError, Throttled
from dispatcher.model.records import Change, NewJob, Receipt, SpooledJob
from dispatcher.model.state import SETTLED, State
from dispatcher.pipeline.moves import (
    DeliveryRules,
    answered,
    failed,
    look_up_failed,
    looked_up,
    may_go,
    start,
)
from tests.model.server import ModelServer, Request
from tests.model.store import Store

ACCOUNT = "acme"
RULES = DeliveryRules(max_attempts=6, request_timeout_s=1.0, unknown_grace_s=3.0)
KEYS = ("A", "B", "C")
BAD = 3
"""this content is refused by the server, whoever sends it"""
OPEN = tuple(state for state in State if state not in SETTLED)
T = TypeVar("T")

picks = st.integers(0, 3)


class Impatient(random.Random):
    """No jitter: every retry comes as early as the rules allow, which is when it can do harm."""

    def uniform(self, a: float, b: float) -> float:
        return a

    def random(self) -> float:
        return 0.0


@dataclass(slots=True, eq=False)
class LookUp:
    """A look-up under way: what it is about, when it was asked, and what the server said; None: nothing."""

    jobs: Sequence[SpooledJob]
    asked_at: float
    found: dict[str, str | None] | None


class DeliveryMachine(RuleBasedStateMachine):
    """Subclasses say which store."""

    @abstractmethod
    def make_store(self) -> Store:
        """The store to be tested, not open yet."""

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.rng = Impatient()
        self.server = ModelServer()
        self.now = 1_000_000.0
        self.claimed: set[int] = set()
        self.read: list[Receipt] | None = None
        self.lookups: list[LookUp] = []
        self.contents: dict[str, list[int]] = {}
        self.store = self.make_store()
        assert self.run(self.store.spool.open(now=self.now)) == 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    # -- what may happen next -----------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.rows(*OPEN)) < 6)
    @rule(wishes=st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, BAD)), min_size=1, max_size=4))
    def accept(self, wishes: list[tuple[str, int]]) -> None:
        jobs = [new_job(key, content) for key, content in wishes]
        answers = self.run(self.store.spool.accept(ACCOUNT, jobs, now=self.now))
        self.read = None
        for (key, content), answer in zip(wishes, answers, strict=True):
            known = self.contents.setdefault(key, [])
            assert answer.fresh == (not known or known[-1] != content)
            if answer.fresh:
                known.append(content)
            assert answer.version == len(known)

    @precondition(lambda self: self.due(State.ACCEPTED, State.HELD))
    @rule(limit=st.integers(1, 4), hold=st.booleans())
    def decide(self, limit: int, hold: bool) -> None:
        """The assign stage; what it decides makes no difference here, but holding does."""
        jobs = self.claim(limit, State.ACCEPTED, State.HELD)
        to, next_at = (State.HELD, self.now + 0.5) if hold and limit == 1 else (State.ASSIGNED, 0.0)
        self.write(
            [Change(seqs=[job.seq for job in jobs], to=to, expect=(State.ACCEPTED, State.HELD), next_at=next_at)]
        )

    @precondition(lambda self: self.due(State.ASSIGNED))
    @rule(limit=st.integers(1, 4), write_takes_s=st.sampled_from((0.0, 0.0, 1.0, 3.0)))
    def send(self, limit: int, write_takes_s: float) -> None:
        """A request goes out; the write before it may take its time."""
        jobs = self.claim(limit, State.ASSIGNED)
        if not jobs:
            return
        begun = self.now
        self.write([start(jobs, now=begun, rules=RULES)])
        self.advance(write_takes_s)
        if may_go(begun, now=self.now):
            self.server.receive(jobs, now=self.now, timeout_s=RULES.request_timeout_s, grace_s=RULES.unknown_grace_s)
        else:
            self.settle(jobs, NotSent("the store took too long"))

    @precondition(lambda self: self.unseen())
    @rule(which=picks)
    def take_effect(self, which: int) -> None:
        """A request is carried out, whether its client still waits, has timed out or has died."""
        self.server.commit(self.pick(self.unseen(), which))

    @precondition(lambda self: self.waiting())
    @rule(
        which=picks,
        keep=st.integers(0, 15),
        how=st.sampled_from(("reply", "reply", "close", "429", "refuse", "unsent")),
    )
    def end(self, which: int, keep: int, how: str) -> None:
        """The server is through with a request, and its client hears of it.

        A reply may leave jobs out (those whose bit in `keep` is 0). What was carried out can only be answered or lost.
        """
        request = self.pick(self.waiting(), which)
        bad = any(is_bad(job) for job in request.jobs)
        error: RemoteError | None = None
        if how == "close" or (how != "reply" and request.took_effect):
            error = OutcomeUnknown("closed")
        elif how == "reply" and not bad:
            ids = self.server.commit(request)
            told = [job_id if keep >> place & 1 else None for place, job_id in enumerate(ids)]
        elif how == "429":
            error = Throttled("429")
        elif how == "unsent":
            error = NotSent("refused")
        else:
            error = Rejected("status 1", remote_words="no good")
        request.done, request.client = True, False
        if error is None:
            self.write(answered(request.jobs, told, now=self.now).changes)
        else:
            self.settle(request.jobs, error)

    @precondition(lambda self: self.due(State.UNKNOWN))
    @rule(limit=st.integers(1, 4), fails=st.sampled_from((False, False, False, True)), behind=st.booleans())
    def ask(self, limit: int, fails: bool, behind: bool) -> None:
        """A look-up goes out and the server reads its store for it; the reply is on its way from now on.

        Behind its back a request may take effect: too late for the reply.
        """
        if jobs := self.claim(limit, State.UNKNOWN):
            self.lookups.append(LookUp(jobs, self.now, None if fails else self.server.find(jobs)))
            if behind and self.unseen():
                self.take_effect(0)

    @precondition(lambda self: self.lookups)
    @rule(which=picks, after_s=st.sampled_from((0.0, 0.0, 1.0, 4.0)))
    def hear(self, which: int, after_s: float) -> None:
        """The reply of a look-up arrives, or its failure."""
        one = self.lookups.pop(which % len(self.lookups))
        self.advance(after_s)
        if one.found is None:
            error = OutcomeUnknown("no answer")
            self.write([look_up_failed(one.jobs, error, now=self.now, failures=1, rng=self.rng)])
        else:
            self.write(
                looked_up(one.jobs, one.found, asked_at=one.asked_at, now=self.now, rules=RULES, rng=self.rng).changes
            )

    @precondition(lambda self: self.due(State.ACCEPTED, State.ASSIGNED, State.UNKNOWN))
    @rule(limit=st.integers(1, 4), state=st.sampled_from((State.ACCEPTED, State.ASSIGNED, State.UNKNOWN)))
    def claim_and_give_back(self, limit: int, state: State) -> None:
        seqs = [job.seq for job in self.claim(limit, state)]
        self.run(self.store.spool.release(seqs))
        self.claimed.difference_update(seqs)

    @rule(seconds=st.sampled_from((0.25, 1.0, 2.0, 4.0)))
    def time_passes(self, seconds: float) -> None:
        self.advance(seconds)

    @precondition(lambda self: self.rows(State.SENDING, State.UNKNOWN))
    @rule(down_s=st.sampled_from((0.0, 0.0, 0.5, 2.0)))
    def crash(self, down_s: float) -> None:
        """The process dies where it is; the next one starts at once or later."""
        being_sent = len(self.rows(State.SENDING))
        self.server.abandon_all()
        self.now += down_s
        self.claimed.clear()
        self.lookups.clear()
        assert self.run(self.store.crash(now=self.now)) == being_sent
        self.read = None

    # -- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_and_every_row_is_where_it_may_be(self) -> None:
        rows = self.rows()
        accepted = [(key, version) for key, known in self.contents.items() for version in range(1, len(known) + 1)]
        assert sorted((row.key, row.version) for row in rows) == sorted(accepted)
        counts = self.run(self.store.spool.counts(ACCOUNT))
        assert counts == {state: sum(row.state is state for row in rows) for state in State}
        sending = {job.seq for request in self.waiting() for job in request.jobs}
        assert {row.seq for row in rows if row.state is State.SENDING} == sending
        for row in rows:
            if row.state is State.CONFIRMED:
                content = body(row.key, self.contents[row.key][row.version - 1])
                assert content in self.server.history[row.key].values(), f"{row.key} is not there"
            if row.state is not State.ACCEPTED:
                older = [one for one in rows if one.key == row.key and one.version < row.version]
                assert all(one.state in SETTLED for one in older), f"{row.key}: two versions are under way"

    def teardown(self) -> None:
        """From wherever it is, with a server that is well, everything comes to an end."""
        if not hasattr(self, "store"):
            return
        try:
            self.come_to_an_end()
        finally:
            self.run(self.store.close())
            self.runner.close()

    def come_to_an_end(self) -> None:
        for _ in range(100):
            if not self.rows(*OPEN):
                return
            while self.lookups:
                self.hear(0, 0.0)
            while self.waiting():
                self.end(0, 15, "reply")
            self.decide(4, hold=False)
            while self.due(State.ASSIGNED):
                self.send(1, 0.0)
            self.ask(4, fails=False, behind=False)
            self.advance(0.5)
            self.nothing_is_lost_and_every_row_is_where_it_may_be()
        raise AssertionError(f"still under way: {self.rows(*OPEN)}")

    # -- the parts of a step ------------------------------------------------------------------------------------------

    def claim(self, limit: int, *states: State) -> list[SpooledJob]:
        jobs = self.run(self.store.spool.claim(ACCOUNT, limit=limit, now=self.now, states=states))
        seqs = {job.seq for job in jobs}
        assert len(jobs) == len(seqs) <= limit
        assert not seqs & self.claimed, "handed out twice"
        assert all(job.state in states for job in jobs)
        self.claimed |= seqs
        return jobs

    def write(self, changes: Sequence[Change]) -> None:
        left = self.run(self.store.spool.apply([change for change in changes if change.seqs], now=self.now))
        self.read = None
        assert left == [], f"rows were not where the rules thought: {left}"
        self.claimed.difference_update(seq for change in changes for seq in change.seqs)

    def settle(self, jobs: Sequence[SpooledJob], error: RemoteError) -> None:
        self.write(failed(jobs, error, now=self.now, rules=RULES, rng=self.rng).changes)

    def advance(self, seconds: float) -> None:
        """Let time pass; requests whose time is up on the way time out at their moment."""
        until = self.now + seconds
        while late := [request for request in self.waiting() if request.gone_by <= until]:
            request = min(late, key=lambda one: one.gone_by)
            self.now = max(self.now, request.gone_by)
            request.client = False
            self.settle(request.jobs, OutcomeUnknown("time-out", backpressure=True, server_done=False))
        self.now = until

    def waiting(self) -> list[Request]:
        """Requests whose client waits."""
        return [request for request in self.server.requests if request.client]

    def unseen(self) -> list[Request]:
        """Requests that may take effect, and can."""
        at_work = [request for request in self.server.requests if request.at_work(self.now)]
        return [request for request in at_work if not any(is_bad(job) for job in request.jobs)]

    def rows(self, *states: State) -> list[Receipt]:
        """All rows of the spool, read once after each write."""
        if self.read is None:
            self.read = self.run(self.store.spool.receipts(ACCOUNT, limit=1000))
        return [row for row in self.read if not states or row.state in states]

    def due(self, *states: State) -> bool:
        """Whether a claim would find anything, but for newer versions that wait for older ones."""
        return any(row.next_at <= self.now and row.seq not in self.claimed for row in self.rows(*states))

    @staticmethod
    def pick(things: Sequence[T], which: int) -> T:
        return things[which % len(things)]


def body(key: str, content: int) -> bytes:
    return b'{"uidSecondary":"%s","priority":%d}' % (key.encode(), content)


def new_job(key: str, content: int) -> NewJob:
    return NewJob(key=key, body=body(key, content), digest=b"%016d" % content)


def is_bad(job: SpooledJob) -> bool:
    return job.body == body(job.key, BAD)
