"""The state machine of delivery and every spool, against a model server, with a crash as one of the actions."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from dispatcher.model.state import State
from tests import postgres
from tests.model.machine import DeliveryMachine
from tests.model.store import MemoryStore, PostgresStore, SqliteStore, Store


class OnMemory(DeliveryMachine):
    def make_store(self) -> Store:
        return MemoryStore()


class OnSqlite(DeliveryMachine):
    def make_store(self) -> Store:
        return SqliteStore()


class OnPostgres(DeliveryMachine):
    def make_store(self) -> Store:
        return PostgresStore()


ADAPTERS = pytest.mark.parametrize(
    "machine",
    [
        OnMemory,
        OnSqlite,
        pytest.param(OnPostgres, marks=pytest.mark.skipif(bool(postgres.MISSING), reason=postgres.MISSING)),
    ],
    ids=["memory", "sqlite", "postgres"],
)
EXAMPLES: dict[type[DeliveryMachine], int] = {OnMemory: 400, OnSqlite: 60, OnPostgres: 15}


@pytest.mark.slow
@pytest.mark.timeout(400)
@ADAPTERS
def test_no_order_of_events_loses_a_job_or_sends_a_key_twice_at_once(machine: type[DeliveryMachine]) -> None:
    """Nothing accepted is lost, no key goes out while a request with it may be at work, versions stay in order."""
    plan = settings(
        max_examples=EXAMPLES[machine],
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(machine, settings=plan)


@ADAPTERS
def test_an_answer_that_was_on_its_way_for_too_long_is_not_believed(machine: type[DeliveryMachine]) -> None:
    """The request takes effect behind the look-up's back; the answer "not there" comes when it would be final."""
    model = machine()
    model.open()
    model.accept([("A", 0)])
    model.decide(1, hold=False)
    model.send(1, 0.0)
    model.time_passes(1.0)
    model.time_passes(0.25)
    model.ask(1, fails=False, behind=True)
    model.hear(0, 4.0)
    assert [row.state for row in model.rows()] == [State.UNKNOWN]
    model.teardown()
    assert model.server.has == {"A": 1}


@ADAPTERS
def test_a_crash_right_after_a_slow_write_leaves_time_for_the_request(machine: type[DeliveryMachine]) -> None:
    """The request went out later than its attempt says; a look-up that finds nothing must not be final too soon."""
    model = machine()
    model.open()
    model.accept([("A", 0)])
    model.decide(1, hold=False)
    model.send(1, 1.0)
    model.crash(2.0)
    model.time_passes(1.75)
    model.ask(1, fails=False, behind=False)
    model.hear(0, 0.0)
    model.take_effect(0)
    model.teardown()
    assert model.server.has == {"A": 1}
