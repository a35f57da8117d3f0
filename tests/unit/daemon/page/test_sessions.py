"""Sessions of the page: who has shown which token."""

from __future__ import annotations

from dispatcher.daemon.page import sessions
from dispatcher.daemon.page.sessions import LASTS_S, MOST, Sessions


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_session_may_what_its_tokens_allow_and_gets_a_new_name_with_each() -> None:
    known = Sessions(Clock())
    first, reader = known.allow(None, reads=True)
    second, both = known.allow(first, acts=True)
    assert (reader.reads, reader.acts) == (True, False)
    assert (both.reads, both.acts) == (True, True)
    assert first != second
    assert known.find(first) is None
    assert known.find(second) is both


def test_a_session_ends_with_its_time_and_by_hand() -> None:
    clock = Clock()
    known = Sessions(clock)
    name, _ = known.allow(None, reads=True)
    other, _ = known.allow(None, reads=True)
    known.end(other)
    assert known.find(other) is None
    clock.now += LASTS_S - 1
    assert known.find(name) is not None
    clock.now += 1
    assert known.find(name) is None
    assert len(known) == 0


def test_there_are_never_more_than_so_many_and_the_oldest_goes() -> None:
    known = Sessions(Clock())
    names = [known.allow(None, reads=True)[0] for _ in range(MOST + 1)]
    assert len(known) == MOST
    assert known.find(names[0]) is None
    assert known.find(names[-1]) is not None


def test_nobody_finds_a_session_without_its_name() -> None:
    known = Sessions(Clock())
    name, _ = known.allow(None, reads=True)
    assert len(name) >= 40
    for guess in (None, "", "x", name[:-1], name + "x", "\udcff"):
        assert known.find(guess) is None
    assert name not in repr(vars(known))
    assert sessions.LASTS_S <= 24 * 3600
