"""The gate of an account: one decision out of limits, concurrency, pauses and breaker."""

from __future__ import annotations

import copy
import math
import random
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dispatcher.flow import AccountGate, Go, Outcome, Wait, parse_limits


def gate(limits: str = "", *, max_concurrency: int = 8, now: float = 0.0, seed: int = 1) -> AccountGate:
    return AccountGate(limits=parse_limits(limits), max_concurrency=max_concurrency, now=now, rng=random.Random(seed))


def wait(decision: Go | Wait) -> Wait:
    assert isinstance(decision, Wait)
    return decision


def one(
    subject: AccountGate, now: float, outcome: Outcome, *, rtt_s: float = 0.05, retry_after_s: float | None = None
) -> None:
    """One request from beginning to end, begun when the gate lets it."""
    while isinstance(decision := subject.ask(now), Wait):
        now += decision.seconds
    subject.begin(now)
    subject.finish(now + rtt_s, rtt_s, outcome, retry_after_s=retry_after_s)


def test_with_nothing_in_the_way_it_goes() -> None:
    assert gate().ask(0.0) == Go()


def test_it_waits_for_the_rate_limit() -> None:
    subject = gate("10/s")
    decision = wait(subject.ask(0.0))
    assert decision.seconds == pytest.approx(0.104)
    assert decision.why == "limit"
    assert subject.ask(0.2) == Go()


def test_it_waits_for_a_place_without_end_and_a_finish_makes_one() -> None:
    subject = gate()
    for _ in range(4):
        subject.begin(0.0)
    assert subject.ask(0.0) == Wait(math.inf, "concurrency")
    subject.finish(0.1, 0.1, "ok")
    assert subject.ask(0.1) == Go()


def test_asking_takes_nothing() -> None:
    subject = gate("600/min", now=0.0)
    assert [subject.ask(60.0) for _ in range(100)] == [Go()] * 100
    assert subject.snapshot(60.0).in_flight == 0


def test_beginning_against_its_word_is_a_mistake_and_counts_nothing() -> None:
    subject = gate("10/s")
    with pytest.raises(RuntimeError, match="had to wait for: limit"):
        subject.begin(0.0)
    assert subject.snapshot(0.0).in_flight == 0


def test_finishing_what_was_never_begun_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="never acquired"):
        gate().finish(0.0, 0.0, "ok")


def test_retry_after_is_a_floor_for_the_whole_account() -> None:
    subject = gate()
    subject.begin(0.0)
    subject.begin(0.0)
    subject.finish(0.1, 0.1, "throttled", retry_after_s=7.0)
    blocked = wait(subject.ask(0.1))
    assert blocked.why == "blocked"
    assert 7.0 <= blocked.seconds <= 7.7
    subject.finish(0.2, 0.2, "ok")
    assert wait(subject.ask(7.05)).why == "blocked"
    assert subject.ask(7.9) == Go()


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_retry_after_counts_with_any_outcome(outcome: Outcome) -> None:
    subject = gate()
    one(subject, 0.0, outcome, retry_after_s=3.0)
    assert 3.0 <= subject.snapshot(0.05).blocked_for_s <= 3.3


def test_a_mistaken_retry_after_of_a_year_silences_for_an_hour() -> None:
    subject = gate()
    one(subject, 0.0, "throttled", retry_after_s=365 * 86400.0)
    assert subject.snapshot(0.05).blocked_for_s == 3600.0


@pytest.mark.parametrize("outcome", ["throttled", "backpressure"])
@pytest.mark.parametrize("retry_after_s", [None, 0.0, -5.0])
def test_back_pressure_without_a_time_pauses_the_account_a_little_longer_each_time(
    outcome: Outcome, retry_after_s: float | None
) -> None:
    """Full jitter up to 0.25, 0.5, 1 s and so on, never above 5 s."""
    longest = [0.0] * 10
    for seed in range(300):
        subject, now = gate(seed=seed), 0.0
        for n in range(4):
            subject.begin(now)
            subject.finish(now + 0.01, 0.01, outcome, retry_after_s=retry_after_s)
            now += 0.01
            longest[n] = max(longest[n], subject.snapshot(now).blocked_for_s)
            now += 10.0
    assert longest[:4] == pytest.approx([0.25, 0.5, 1.0, 2.0], rel=0.05)


def test_a_throttling_without_end_pauses_for_five_seconds_at_most() -> None:
    subject, now = gate(), 0.0
    for _ in range(30):
        subject.begin(now)
        subject.finish(now, 0.0, "throttled")
        assert subject.snapshot(now).blocked_for_s <= 5.0
        now += 6.0


def test_after_a_success_pauses_are_short_again() -> None:
    for seed in range(100):
        subject, now = gate(seed=seed), 0.0
        for _ in range(6):
            one(subject, now, "throttled", rtt_s=0.0)
            now += 10.0
        one(subject, now, "ok", rtt_s=0.0)
        one(subject, now + 1.0, "throttled", rtt_s=0.0)
        assert subject.snapshot(now + 1.0).blocked_for_s <= 0.25


def test_requests_that_were_throttled_together_are_one_failure() -> None:
    """Four 429s at once pause the account no longer than one."""
    for seed in range(100):
        subject = gate(seed=seed)
        for _ in range(4):
            subject.begin(0.0)
        for _ in range(4):
            subject.finish(0.05, 0.05, "throttled")
        assert subject.snapshot(0.05).blocked_for_s <= 0.25


def test_a_denied_key_stops_everything_until_it_is_put_right() -> None:
    subject = gate()
    one(subject, 0.0, "denied")
    assert subject.ask(1e6) == Wait(math.inf, "denied")
    assert subject.snapshot(1e6).denied
    subject.allow()
    assert subject.ask(1e6) == Go()


@pytest.mark.parametrize("outcome", ["not_sent", "backpressure", "failed"])
def test_failures_in_a_row_open_the_breaker_and_a_success_closes_it_with_one_at_a_time(outcome: Outcome) -> None:
    subject, now = gate(), 0.0
    for _ in range(5):
        one(subject, now, outcome)
        now += 10.0
    assert subject.snapshot(now - 9.9).breaker == "open"
    assert subject.ask(now) == Go()
    subject.begin(now)
    assert subject.snapshot(now).breaker == "half_open"
    assert wait(subject.ask(now)).why == "breaker"
    subject.finish(now + 0.05, 0.05, "ok")
    report = subject.snapshot(now + 0.05)
    assert (report.breaker, report.concurrency, report.why) == ("closed", 1, "")


@pytest.mark.parametrize("outcome", ["throttled", "refused", "neutral", "ok"])
def test_other_outcomes_do_not_open_the_breaker(outcome: Outcome) -> None:
    subject, now = gate(), 0.0
    for _ in range(50):
        one(subject, now, outcome)
        now += 10.0
    assert subject.snapshot(now).breaker == "closed"


def test_probes_find_their_way_past_requests_that_hang() -> None:
    """No answer, no time-out yet: the next probe goes out by the clock all the same."""
    subject, now = gate(max_concurrency=2), 0.0
    for _ in range(5):
        one(subject, now, "not_sent", rtt_s=0.0)
    for _ in range(4):
        now += wait(subject.ask(now)).seconds
        subject.begin(now)
    assert subject.snapshot(now).in_flight == 4


def test_a_refusal_for_content_shows_that_the_server_is_there() -> None:
    subject, now = gate(), 0.0
    for _ in range(5):
        one(subject, now, "not_sent")
    now = 10.0
    one(subject, now, "refused")
    assert subject.snapshot(now + 0.05).breaker == "closed"


def test_time_outs_that_come_in_after_the_server_is_back_neither_pause_nor_open() -> None:
    subject = gate()
    for _ in range(3):
        subject.begin(0.0)
    for _ in range(5):
        one(subject, 0.0, "not_sent")
    one(subject, 5.0, "ok")
    for _ in range(3):
        subject.finish(10.0, 10.0, "backpressure")
    report = subject.snapshot(10.0)
    assert (report.breaker, report.blocked_for_s, report.why, report.in_flight) == ("closed", 0.0, "", 0)


def test_the_snapshot_says_why_and_for_how_long_and_is_json() -> None:
    subject = gate("10/s, 300/min", now=1000.0)
    one(subject, 1001.0, "ok")
    one(subject, 1001.0, "ok")
    report = subject.snapshot(1001.1)
    assert report.why == "limit"
    assert report.wait_s == report.limit_wait_s > 0.0
    assert report.limits == "10/s, 300/min"
    assert report.outcomes["ok"] == 2
    assert report.rtt_s == pytest.approx(0.05)
    one(subject, 1300.0, "denied")
    told = msgspec.json.decode(msgspec.json.encode(subject.snapshot(1300.1)))
    assert (told["why"], told["wait_s"]) == ("denied", None)


def test_time_waited_is_booked_by_its_reason() -> None:
    """What passes after the promised end, when nobody asked again, was not waited."""
    subject = gate("60/min")
    seconds = wait(subject.ask(0.0)).seconds
    assert subject.snapshot(0.5).waited_s["limit"] == pytest.approx(0.5)
    assert subject.snapshot(500.0).waited_s["limit"] == pytest.approx(seconds)
    assert isinstance(subject.ask(500.0), Go)
    assert subject.snapshot(900.0).waited_s["limit"] == pytest.approx(seconds)


def test_time_waited_for_a_place_ends_with_the_finish_that_makes_one() -> None:
    subject = gate()
    for _ in range(4):
        subject.begin(0.0)
    subject.ask(1.0)
    subject.finish(4.0, 4.0, "ok")
    assert subject.snapshot(100.0).waited_s["concurrency"] == pytest.approx(3.0)


def test_a_unix_clock_that_is_set_back_by_an_hour_freezes_nothing() -> None:
    subject = gate("10/s", now=1.7e9)
    one(subject, 1.7e9 + 10.0, "throttled", retry_after_s=2.0)
    later = 1.7e9 + 10.05 - 3600.0
    assert wait(subject.ask(later)).seconds <= 2.2
    assert subject.ask(later + 2.5) == Go()


def test_its_repr_is_a_state_report() -> None:
    subject = gate("10/s")
    assert repr(subject) == (
        "<AccountGate waits 0.104 s for limit: "
        "<GcraLimiter 10/s: next in 0.104 s, blocked for 0.000 s>, "
        "<AdaptiveLimit 0 in flight of 4 (max 8), round trip unknown>, "
        "<Breaker closed, 0 of 5 failures>>"
    )
    assert repr(gate()).startswith("<AccountGate ready: ")


class GateMachine(RuleBasedStateMachine):
    """Any order of asking, beginning, finishing and waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.gate = AccountGate(
            limits=parse_limits("20/s, 100/10s"), max_concurrency=5, now=0.0, rng=random.Random(1), quiet_since=-100.0
        )
        self.begun: list[float] = []
        self.starts: list[float] = []

    @rule(seconds=st.floats(0.0, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_request_begins_if_it_may(self) -> None:
        if isinstance(self.gate.ask(self.now), Go):
            self.gate.begin(self.now)
            self.begun.append(self.now)
            self.starts.append(self.now)

    @precondition(lambda self: self.begun)
    @rule(
        which=st.integers(0, 1000),
        outcome=st.sampled_from([outcome for outcome in get_args(Outcome) if outcome != "denied"]),
        retry_after_s=st.one_of(st.none(), st.floats(0.0, 100.0)),
    )
    def a_request_ends(self, which: int, outcome: Outcome, retry_after_s: float | None) -> None:
        begun = self.begun.pop(which % len(self.begun))
        self.gate.finish(self.now, self.now - begun, outcome, retry_after_s=retry_after_s)

    @invariant()
    def its_books_balance(self) -> None:
        assert self.gate.snapshot(self.now).in_flight == len(self.begun)

    @invariant()
    def the_rate_limits_hold(self) -> None:
        for count, window_s in ((20, 1.0), (100, 10.0)):
            for first, last in zip(self.starts, self.starts[count:], strict=False):
                assert last - first >= window_s

    @invariant()
    def whatever_it_waits_for_comes_to_an_end(self) -> None:
        """Once the time named is over, only a place in flight can be missing, and then there is something in flight."""
        ahead, now = copy.deepcopy(self.gate), self.now
        for _ in range(10):
            decision = ahead.ask(now)
            if isinstance(decision, Go):
                return
            if math.isinf(decision.seconds):
                assert decision.why == "concurrency"
                assert self.begun
                return
            now += decision.seconds
        pytest.fail(f"it waits without end: {ahead!r}")


TestGateMachine = GateMachine.TestCase
TestGateMachine.settings = settings(max_examples=40, stateful_step_count=40)


@given(st.floats(0.0, 1e9), st.integers(0, 2**32))
def test_after_any_outage_the_next_probe_is_never_far(length_s: float, seed: int) -> None:
    """However long the server was away, the gate lets something through within five seconds."""
    subject, now = gate(seed=seed), 0.0
    for _ in range(5):
        one(subject, now, "not_sent")
    for _ in range(20):
        now += min(length_s, 50.0)
        if isinstance(subject.ask(now), Go):
            subject.begin(now)
            subject.finish(now, 0.0, "not_sent")
    decision = subject.ask(now)
    assert isinstance(decision, Go) or decision.seconds <= 5.0


def test_limits_that_are_kept_elsewhere_hold_it_as_long_as_they_say() -> None:
    """It shows them as its own, and counts what they make requests wait."""
    gate = AccountGate(limits=parse_limits("1/min"), max_concurrency=2, now=0.0, rng=random.Random(1), shared=True)
    assert isinstance(gate.ask(0.0), Go)
    gate.hold(0.0, 2.0)
    assert gate.ask(0.5) == Wait(1.5, "limit")
    report = gate.snapshot(1.0)
    assert (report.limits, report.why, report.limit_wait_s) == ("1/min", "limit", 1.0)
    assert isinstance(gate.ask(2.0), Go)
    assert gate.snapshot(2.0).waited_s["limit"] == pytest.approx(1.5)


def test_a_block_that_another_process_was_asked_for_holds_here_too() -> None:
    gate = AccountGate(limits=[], max_concurrency=2, now=0.0, rng=random.Random(1), shared=True)
    gate.block(0.0, 3.0)
    gate.block(0.0, 1.0)
    assert gate.ask(1.0) == Wait(2.0, "blocked")
    assert gate.blocked(1.0) == 2.0
