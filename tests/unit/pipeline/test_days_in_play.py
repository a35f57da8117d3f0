"""Which days are kept, and which is read next."""

from __future__ import annotations

from dispatcher.pipeline.days_in_play import DaysInPlay

TODAY, TOMORROW, LATER = 20260105, 20260106, 20260112


def in_play(**read_at: float) -> DaysInPlay:
    days = DaysInPlay(idle_s=900)
    for name, at in read_at.items():
        days.read(int(name[1:]), at=at)
    return days


def test_today_comes_first_then_what_was_read_longest_ago() -> None:
    days = in_play(d20260112=10, d20260106=20)
    assert days.due({TODAY}, now=200, every_s=120) == [TODAY, LATER, TOMORROW]
    assert days.due({TODAY}, now=135, every_s=120) == [TODAY, LATER]


def test_a_day_that_nobody_names_any_more_falls_out_and_today_never_does() -> None:
    days = in_play(d20260105=0, d20260106=0)
    days.ask([TOMORROW, LATER], now=100)
    assert days.roll({TODAY}, now=1000) == set()
    assert days.roll({TODAY}, now=1001) == {TOMORROW}
    assert (list(days), days.named) == ([TODAY], {TODAY})


def test_a_day_that_is_over_falls_out_at_once() -> None:
    days = in_play(d20260105=0, d20260106=0)
    days.ask([TODAY, TOMORROW], now=0)
    assert days.roll({TOMORROW}, now=1) == {TODAY}
    assert days.due({TOMORROW}, now=1, every_s=120) == []


def test_a_marked_day_is_due_at_once_and_until_it_was_read_after_the_mark() -> None:
    """A listing that was asked for before something was missed does not show it."""
    days = in_play(d20260105=100)
    days.mark([TODAY, LATER], now=110)
    assert (days.due({TODAY}, now=111, every_s=120), days.next_s(now=111, every_s=120)) == ([TODAY], 0.0)
    days.read(TODAY, at=105)
    assert days.due({TODAY}, now=112, every_s=120) == [TODAY]
    days.read(TODAY, at=112)
    assert (days.due({TODAY}, now=113, every_s=120), days.next_s(now=113, every_s=120)) == ([], 119.0)


def test_a_marked_day_is_not_read_more_often_than_that() -> None:
    days = in_play(d20260105=100)
    days.mark([TODAY], now=101)
    assert (days.due({TODAY}, now=104, every_s=120, again_s=5), days.next_s(now=104, every_s=120, again_s=5)) == ([], 1)
    assert days.due({TODAY}, now=105, every_s=120, again_s=5) == [TODAY]


def test_days_that_were_never_read_are_old() -> None:
    days = in_play(d20260105=100)
    assert days.old({TODAY, LATER}, now=150, limit_s=60) == {LATER}
    assert days.old({TODAY}, now=161, limit_s=60) == {TODAY}
    assert days.old([TODAY, LATER], now=100, limit_s=float("inf")) == {LATER}, "however long others may stay"


def test_what_is_forgotten_is_due_again_but_still_named() -> None:
    days = in_play(d20260105=100)
    days.ask([LATER], now=100)
    days.clear()
    assert (list(days), days.named) == ([], {LATER})
