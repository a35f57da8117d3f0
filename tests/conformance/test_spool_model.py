"""Every adapter against a plain dictionary, with crashes in between."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dispatcher.model.records import Change
from dispatcher.model.state import MOVES, State
from tests import postgres
from tests.conformance.world import ADAPTERS, job, make_world

T = TypeVar("T")
ACCOUNTS = st.sampled_from(["one", "two"])
KEYS = st.sampled_from("abcd")
CONTENTS = st.sampled_from("xyz")
WAITING = (State.ACCEPTED, State.ASSIGNED, State.UNKNOWN, State.HELD)


@dataclass
class Row:
    """What the model knows of a row."""

    account: str
    key: str
    version: int
    content: str
    state: State = State.ACCEPTED
    next_at: float = 0.0
    worker: str | None = None
    attempts: int = 0
    claimed: bool = False


class SpoolAgainstModel(RuleBasedStateMachine):
    """The rows as a dictionary: slow, plain and right by reading."""

    adapter = ""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        self._world = make_world(self.adapter, Path(self._folder.name))
        self._rows: dict[int, Row] = {}
        self._now = 100.0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def teardown(self) -> None:
        self.run(self._world.spool.close())
        self._runner.close()
        self._folder.cleanup()
        postgres.give_back()

    def newest(self, account: str, key: str) -> int | None:
        return max((seq for seq, row in self._rows.items() if (row.account, row.key) == (account, key)), default=None)

    def blocked(self, row: Row) -> bool:
        return any(
            (other.account, other.key) == (row.account, row.key)
            and other.version < row.version
            and not other.state.settled
            for other in self._rows.values()
        )

    @initialize()
    def open(self) -> None:
        assert self.run(self._world.spool.open(now=self._now)) == 0

    @rule(account=ACCOUNTS, wanted=st.lists(st.tuples(KEYS, CONTENTS), min_size=1, max_size=5))
    def accept(self, account: str, wanted: list[tuple[str, str]]) -> None:
        given = [job(key, content) for key, content in wanted]
        answers = self.run(self._world.spool.accept(account, given, now=self._now))
        for (key, content), answer in zip(wanted, answers, strict=True):
            here = self.newest(account, key)
            if here is not None and self._rows[here].content == content:
                assert (answer.seq, answer.fresh) == (here, False)
            else:
                assert answer.fresh
                assert answer.seq > max(self._rows, default=0)
                version = 1 if here is None else self._rows[here].version + 1
                self._rows[answer.seq] = Row(account, key, version, content)
            assert answer.version == self._rows[answer.seq].version

    @rule(
        account=ACCOUNTS,
        limit=st.integers(1, 4),
        states=st.lists(st.sampled_from(WAITING), min_size=1, max_size=4, unique=True),
    )
    def claim(self, account: str, limit: int, states: list[State]) -> None:
        taken = self.run(self._world.spool.claim(account, limit=limit, now=self._now, states=states))
        expected = [
            seq
            for seq, row in sorted(self._rows.items())
            if row.account == account
            and row.state in states
            and row.next_at <= self._now
            and not row.claimed
            and not self.blocked(row)
        ][:limit]
        assert [one.seq for one in taken] == expected
        for one in taken:
            row = self._rows[one.seq]
            row.claimed = True
            assert (one.key, one.version, one.state) == (row.key, row.version, row.state)
            assert (one.worker, one.attempts, one.body) == (row.worker, row.attempts, job(row.key, row.content).body)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        seqs = data.draw(st.lists(st.integers(1, len(self._rows) + 1), max_size=4))
        self.run(self._world.spool.release(seqs))
        for seq in seqs:
            if seq in self._rows:
                self._rows[seq].claimed = False

    @rule(data=st.data(), count=st.integers(1, 3))
    def apply(self, data: st.DataObject, count: int) -> None:
        changes = [data.draw(self.change()) for _ in range(count)]
        left = self.run(self._world.spool.apply(changes, now=self._now))
        expected = []
        for change in changes:
            for place, seq in enumerate(change.seqs):
                row = self._rows.get(seq)
                if row is None or row.state not in change.expect:
                    expected.append(seq)
                    continue
                row.state = change.to
                row.next_at = change.next_at
                row.attempts += change.add_attempts
                row.claimed = False
                if change.workers is not None:
                    row.worker = change.workers[place]
        assert sorted(left) == sorted(expected)

    def change(self) -> st.SearchStrategy[Change]:
        """A change that `MOVES` has, over rows of which some are in the expected state."""

        def build(draw: st.DrawFn) -> Change:
            to = draw(st.sampled_from([state for state in State if any(state in after for after in MOVES.values())]))
            sources = [state for state, after in MOVES.items() if to in after]
            expect = draw(st.lists(st.sampled_from(sources), min_size=1, unique=True))
            fitting = [seq for seq, row in self._rows.items() if row.state in expect]
            some = st.sampled_from(fitting) if fitting else st.integers(1, 3)
            seqs = draw(st.lists(st.one_of(some, some, st.integers(1, len(self._rows) + 1)), max_size=5, unique=True))
            workers = draw(st.none() | st.lists(st.sampled_from([None, "ann"]), min_size=len(seqs), max_size=len(seqs)))
            wait = draw(st.sampled_from([0.0, 0.0, -5.0, 5.0, 50.0]))
            return Change(
                seqs=seqs,
                to=to,
                expect=tuple(expect),
                workers=workers,
                next_at=0.0 if wait == 0.0 else self._now + wait,
                add_attempts=int(to is State.SENDING),
            )

        return st.composite(build)()

    @rule(seconds=st.sampled_from([0.5, 10.0]))
    def wait(self, seconds: float) -> None:
        self._now += seconds

    @rule(clean=st.booleans())
    def crash(self, *, clean: bool) -> None:
        if clean:
            self.run(self._world.spool.close())
            recovered = self.run(self._world.spool.open(now=self._now))
        else:
            recovered = self.run(self._world.crash(now=self._now))
        sending = [row for row in self._rows.values() if row.state is State.SENDING]
        assert recovered == len(sending)
        for row in sending:
            row.state, row.next_at = State.UNKNOWN, 0.0
        for row in self._rows.values():
            row.claimed = False

    @rule(account=ACCOUNTS)
    def ask(self, account: str) -> None:
        spool = self._world.spool
        mine = {seq: row for seq, row in sorted(self._rows.items()) if row.account == account}
        receipts = self.run(spool.receipts(account, limit=1000))
        assert [(r.seq, r.key, r.version, r.state, r.worker, r.attempts, r.next_at) for r in receipts] == [
            (seq, row.key, row.version, row.state, row.worker, row.attempts, row.next_at) for seq, row in mine.items()
        ]
        later = [
            row.next_at for row in mine.values() if row.next_at > self._now and row.state in WAITING and not row.claimed
        ]
        assert self.run(spool.next_due(account, now=self._now)) == min(later, default=None)

        async def decided() -> list[int]:
            return [one.seq async for one in spool.decided(account)]

        has_member = (State.ASSIGNED, State.SENDING, State.UNKNOWN)
        assert self.run(decided()) == [s for s, row in mine.items() if row.worker and row.state in has_member]

    @invariant()
    def counts_agree(self) -> None:
        if not self._rows:
            return
        for account in ("one", "two"):
            counts = self.run(self._world.spool.counts(account))
            states = [row.state for row in self._rows.values() if row.account == account]
            assert counts == {state: states.count(state) for state in State}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_adapter_does_what_a_dictionary_would_do(adapter: str) -> None:
    """Accept, claim, release, apply, crash and reopen in any order."""
    machine = type("Machine", (SpoolAgainstModel,), {"adapter": adapter})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples={"memory": 80, "sqlite": 50, "postgres": 15}[adapter],
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
