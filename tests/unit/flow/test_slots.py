"""The slots in hand, what is asked for, and what is told."""

from __future__ import annotations

import random

import pytest

from dispatcher.flow import Limit, SharedSlots, Slot
from dispatcher.flow.lateness import Lateness
from dispatcher.model.slots import SlotAnswer


def answer(
    *slots: float, first: int = 0, wait_s: float = 0.5, blocked_s: float = 0.0, reserved: bool = False
) -> SlotAnswer:
    return SlotAnswer(
        clock=1e9,
        first=first,
        slots=slots,
        given=first + len(slots),
        wait_s=wait_s,
        blocked_s=blocked_s,
        reserved=reserved,
    )


def slots_with(*limits: Limit) -> SharedSlots:
    return SharedSlots(limits, random.Random(1))


def asked(slots: SharedSlots, reply: SlotAnswer, *, at: float = 10.0, took_s: float = 0.004) -> None:
    slots.answer(slots.question(at), reply, asked=at, heard=at + took_s)


def test_a_slot_is_used_no_sooner_than_its_moment_can_be() -> None:
    """The database's clock was read between asking and hearing, nobody knows when."""
    slots = slots_with(Limit(20, 1.0))
    asked(slots, answer(0.1))
    slot = slots.take(10.05)
    assert slots.delay(slot, 10.05) == pytest.approx(0.054)
    assert slots.delay(slot, 10.1041) == 0.0
    assert slots.delay(slot, 10.1 + 0.029) is None


def test_a_request_begins_a_lead_before_its_slot() -> None:
    slots = slots_with(Limit(20, 1.0))
    slots.at_the_wire(5.0, 5.02)
    assert slots.lead_s == pytest.approx(0.02)
    asked(slots, answer(0.1))
    assert slots.wait(10.004) == pytest.approx(0.08)


def test_nothing_is_asked_until_the_next_slot_is_near() -> None:
    slots = slots_with(Limit(1, 1.0))
    asked(slots, answer(wait_s=0.9))
    assert 10.9 - 0.2 - 0.01 <= 10.004 + slots.wait(10.004) <= 10.9 - 0.6 * 0.2 + 0.01


def test_nothing_is_asked_while_the_account_is_blocked() -> None:
    slots = slots_with(Limit(20, 1.0))
    asked(slots, answer(wait_s=0.0, blocked_s=3.0))
    assert slots.wait(10.004) == pytest.approx(3.0)


def test_a_request_that_is_too_late_goes_when_nobody_is_harmed_by_it() -> None:
    """The answer says that the slot which would stand too close has not been given yet."""
    slots = slots_with(Limit(3, 1.0))
    asked(slots, answer(0.05))
    slot = slots.take(10.01)
    late = 10.05 + 0.1
    assert slots.delay(slot, late) is None
    assert slots.put_off(slot, late)
    question = slots.question(late, take=False)
    assert [(one.window, one.number) for one in question.late] == [(0, 0)]
    slots.answer(question, answer(first=3), asked=late, heard=late + 0.002)
    assert slots.delay(slot, late + 0.002) == 0.0


@pytest.mark.parametrize("reply", [answer(first=4), answer(first=1, reserved=True)])
def test_it_does_not_go_when_somebody_may_be(reply: SlotAnswer) -> None:
    """That slot is given already, or somebody may be sending without any."""
    slots = slots_with(Limit(3, 1.0))
    asked(slots, answer(0.05))
    slot = slots.take(10.01)
    assert slots.put_off(slot, 10.15)
    slots.answer(slots.question(10.15, take=False), reply, asked=10.15, heard=10.152)
    assert slots.delay(slot, 10.152) is None


def test_a_slot_that_is_long_over_is_let_go() -> None:
    slots = slots_with(Limit(20, 1.0))
    asked(slots, answer(0.05))
    assert slots.has(10.2)
    assert not slots.has(10.4)
    with pytest.raises(RuntimeError, match="without a slot"):
        slots.take(10.4)


def test_other_limits_let_the_slots_in_hand_go() -> None:
    slots = slots_with(Limit(20, 1.0))
    asked(slots, answer(0.05))
    slots.change([Limit(10, 1.0)])
    assert not slots.has(10.01)
    assert slots.question(10.01).windows[0].count == 10


def test_a_request_in_time_is_not_told_of_and_a_late_one_once() -> None:
    lateness = Lateness([Limit(20, 1.0), Limit(300, 60.0)])
    lateness.others(0.02)
    slots = [Slot(number, opens=10.0, moment=10.0, closes=10.02) for number in range(2)]
    for slot in slots:
        lateness.sent(slot, 10.0)
    lateness.answered(slots[0], 10.03)
    lateness.answered(slots[1], 10.13)
    (late,) = lateness.untold(10.2)
    assert (late.window, late.number) == (0, 1)
    assert 10.2 + late.until_s == pytest.approx(10.11)
    lateness.heard([late], 10.2)
    assert lateness.untold(10.21) == ()
    assert lateness.tell_at(10.21) is None


def test_one_that_is_not_answered_is_told_of_again_and_again_until_no_more_is_waited_for() -> None:
    lateness = Lateness([Limit(20, 1.0)])
    lateness.others(0.02)
    lateness.sent(Slot(0, opens=10.0, moment=10.0, closes=10.02), 10.0)
    told: list[float] = []
    now = 10.0
    while (at := lateness.tell_at(now)) is not None and now < 20.0:
        now = max(at, now + 0.001)
        late = lateness.untold(now)
        told += [now + one.until_s for one in late]
        lateness.heard(late, now)
    assert told[-1] == pytest.approx(10.25)
    assert lateness.untold(11.5) == ()


def test_without_limits_a_slot_is_now() -> None:
    """However long requests take from their start to the wire."""
    slots = slots_with()
    slots.at_the_wire(5.0, 5.05)
    assert slots.question(10.0).lead_s == 0.0
    asked(slots, answer(0.0))
    assert slots.delay(slots.take(10.004), 10.004) == 0.0
