"""Several processes that share an account's limits never break one at the server, and use nearly all of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.flow import Limit, parse_limits
from dispatcher.flow.arrivals import late_cap_s
from tests.unit.pipeline.slot_world import Weather, World, gaps, shares

LIMITS = st.sampled_from(["20/s", "1/s", "3/s", "20/s, 300/min", "100/10s", "7/2s", "200/s"])


def enough(world: World, requests: int) -> float:
    """Seconds in which so many may go, but no more than a few minutes."""
    return min(200.0, 10.0 + requests / min(limit.count / limit.window_s for limit in world.limits))


@settings(max_examples=25, deadline=None)
@given(text=LIMITS, senders=st.integers(1, 5), seed=st.integers(0, 2**32), late_share=st.floats(0.0, 0.6))
@example(text="20/s", senders=3, seed=0, late_share=0.2)
def test_no_window_holds_too_many_however_late_some_requests_are(
    text: str, senders: int, seed: int, late_share: float
) -> None:
    """Lateness up to what is waited for, slow answers of the database, clocks that are off by days."""
    limits = list(parse_limits(text))
    late_s = 0.98 * min(late_cap_s(limit.window_s) for limit in limits)
    weather = Weather(late_s=late_s, late_share=late_share, ask_s=0.02, slow_ask_s=0.1, write_s=0.01)
    world = World(limits, seed=seed, weather=weather, senders=senders)
    world.run(enough(world, 200))
    assert world.crowded() == ""
    assert len(world.arrivals) > 10


@settings(max_examples=25, deadline=None)
@given(text=LIMITS, senders=st.integers(1, 5), seed=st.integers(0, 2**32), lost_share=st.floats(0.0, 0.2))
def test_no_window_holds_too_many_however_senders_and_database_pause(
    text: str, senders: int, seed: int, lost_share: float
) -> None:
    """Processes that stop for up to a second and more, questions and answers that are lost."""
    limits = list(parse_limits(text))
    weather = Weather(late_s=0.004, late_share=0.5, slow_ask_s=0.5, write_s=0.02, pause_s=1.5, lost_share=lost_share)
    world = World(limits, seed=seed, weather=weather, senders=senders)
    world.run(enough(world, 200))
    assert world.crowded() == ""
    assert len(world.arrivals) > 10


@pytest.mark.parametrize("senders", [1, 3, 6])
@pytest.mark.parametrize("text", ["20/s", "20/s, 300/min", "200/s", "2/s"])
def test_nearly_all_of_a_limit_is_used_in_calm_weather(text: str, senders: int) -> None:
    """As much as one process by itself uses: 1 / 1.04."""
    world = World(list(parse_limits(text)), seed=1, senders=senders)
    world.run(40.0)
    assert world.crowded() == ""
    assert world.per_s(after_s=2.0) >= 0.95 * min(limit.count / limit.window_s for limit in world.limits)


def test_a_slow_way_to_the_database_costs_little() -> None:
    """60 ms there and back."""
    world = World([Limit(20, 1.0)], seed=1, senders=3, weather=Weather(ask_s=0.06))
    world.run(30.0)
    assert world.crowded() == ""
    assert world.per_s(after_s=2.0) >= 0.9 * 20


def test_every_sender_gets_its_share() -> None:
    """Who has a long way to the wire gets no more, who has a short one no less."""
    world = World([Limit(20, 1.0)], seed=1, senders=4)
    world.senders[0].turnstile.slots._slots.lead_s = 0.1  # type: ignore[union-attr]
    world.run(60.0)
    assert min(shares(world)) > 0.8 / 4


def test_few_questions_are_asked_in_vain() -> None:
    world = World([Limit(20, 1.0)], seed=1, senders=3)
    world.run(30.0)
    assert sum(sender.slots.questions for sender in world.senders) < 1.05 * len(world.arrivals) + 10


def test_a_sender_whose_ways_are_longer_counts_as_late() -> None:
    """Its requests arrive behind those that were sent after it from nearby."""
    world = World([Limit(20, 1.0)], seed=3, senders=3)
    world.senders[0].way_s = 0.07
    world.run(30.0)
    assert world.crowded() == ""
    assert world.per_s(after_s=2.0) >= 0.85 * 20


def test_a_database_clock_that_is_set_breaks_nothing() -> None:
    """Set back it costs nothing; set ahead it looks like a silence, which is worth one burst."""
    world = World([Limit(20, 1.0)], seed=2, senders=3)

    def set_clock(by_s: float) -> None:
        world.clock_s += by_s

    world.run(30.0, *((at, lambda at=at: set_clock(-3600.0 if at % 2 else -0.5)) for at in (5.0, 11.0, 16.0, 21.0)))
    assert world.crowded() == ""
    assert world.per_s(after_s=2.0) >= 0.9 * 20
    assert max(gaps(world)[40:]) < 0.5


def test_a_block_that_one_is_told_of_silences_all() -> None:
    world = World([Limit(20, 1.0)], seed=1, senders=3)

    def refuse() -> None:
        sender = world.senders[0]
        sender.gate.block(sender.clock.monotonic(), 4.0)
        sender.slots.left(-1.0, blocked_s=4.0)

    world.run(12.0, (5.0, refuse))
    start = 1000.0 + 5.0
    assert not [at for at in world.arrivals if start + 0.3 < at < start + 4.0]
    assert len([at for at in world.arrivals if at > start + 4.0]) > 40


def test_without_limits_only_a_block_is_asked_for() -> None:
    world = World([], seed=1, senders=2)
    world.run(0.5)
    assert len(world.arrivals) > 50
    assert world.row.given == 0 or not world.row.windows


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    senders=st.integers(1, 4),
    count=st.integers(4, 30),
    cuts=st.lists(st.tuples(st.floats(1.0, 40.0), st.floats(0.5, 20.0)), max_size=4),
    everybody=st.booleans(),
)
@example(seed=1, senders=3, count=20, cuts=[(5.0, 14.0)], everybody=True)
@example(seed=1, senders=3, count=20, cuts=[(5.0, 14.0)], everybody=False)
def test_shares_of_those_who_cannot_ask_stay_within_the_limit(
    seed: int, senders: int, count: int, cuts: list[tuple[float, float]], everybody: bool
) -> None:
    """The database away for all or for some, for any time: what they send together never passes the limit."""
    world = World([Limit(count, 1.0)], seed=seed, senders=senders, weather=Weather(lost_share=0.02))
    for sender in world.senders:
        sender.contacts = True
    for at, for_s in cuts:
        for sender in world.senders if everybody else world.senders[: senders // 2 + 1]:
            sender.cuts.append((1000.0 + at, 1000.0 + at + for_s))
    world.run(70.0)
    assert world.crowded() == ""


def test_who_cannot_ask_goes_on_with_its_share_until_its_lease_ends() -> None:
    """A lease of 15 s: after 6 s of quiet, one window and a little it may use a third of 20/s, rounded down."""
    world = World([Limit(20, 1.0)], seed=5, senders=3)
    for sender in world.senders:
        sender.contacts = True
        sender.cuts.append((1010.0, 1060.0))
    world.run(50.0)
    away = sorted(at for at in world.arrivals if at > 1010.5)
    assert 1016.5 < away[0] < 1020.5
    assert 1022.0 < away[-1] < 1025.1
    alone = [at for at in away if 1019.0 < at < 1022.0]
    assert 0.8 * 3 * 18 < len(alone) <= 3 * 18


def test_the_others_leave_the_share_of_a_silent_one_free_for_a_while() -> None:
    """And use it again once it has certainly ended."""
    world = World([Limit(20, 1.0)], seed=5, senders=3)
    for sender in world.senders:
        sender.contacts = True
    world.senders[0].cuts.append((1010.0, 1060.0))
    world.run(50.0)
    assert world.crowded() == ""
    others = [at for at in world.arrivals if at not in world.senders[0].alone]
    assert len([at for at in others if 1018.0 < at < 1024.0]) <= 6 * 14
    assert len([at for at in others if 1030.0 < at < 1040.0]) >= 0.95 * 10 * 20
