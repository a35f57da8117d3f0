"""The jobs of a file are counted by their rows, whoever moves them and whenever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.cli.tally import FileTally
from dispatcher.model.records import Accepted, Change
from dispatcher.model.state import State


def row(seq: int, state: State = State.ACCEPTED, *, fresh: bool = True) -> Accepted:
    return Accepted(seq=seq, version=1, state=state, fresh=fresh)


def to(state: State, *seqs: int) -> Change:
    return Change(seqs=list(seqs), to=state, expect=())


def test_only_rows_of_the_file_count() -> None:
    tally = FileTally()
    tally.add([row(5), row(6)])
    tally.watch(to(State.CONFIRMED, 1, 5))
    assert (tally.accepted, tally.counts[State.CONFIRMED], tally.open) == (2, 1, 1)


def test_rows_settled_by_an_earlier_run_count_too() -> None:
    tally = FileTally()
    tally.add([row(9, State.CONFIRMED, fresh=False), row(2, State.REJECTED, fresh=False), row(11)])
    assert (tally.counts[State.CONFIRMED], tally.counts[State.REJECTED], tally.open) == (1, 1, 1)


def test_equal_lines_of_a_file_share_a_row_and_count_each() -> None:
    tally = FileTally()
    tally.add([row(1), row(1, fresh=False)])
    tally.watch(to(State.CONFIRMED, 1))
    assert (tally.accepted, tally.counts[State.CONFIRMED], tally.open) == (2, 2, 0)


def test_a_row_that_settles_before_its_acceptance_is_told_is_not_missed() -> None:
    tally = FileTally()
    tally.watch(to(State.CONFIRMED, 7))
    tally.add([row(7)])
    assert tally.open == 0


def test_a_held_job_that_goes_on_is_open_again() -> None:
    tally = FileTally()
    tally.add([row(1)])
    tally.watch(to(State.HELD, 1))
    assert tally.open == 0
    tally.watch(to(State.ASSIGNED, 1))
    assert tally.open == 1


def test_the_spool_has_the_last_word_on_rows_that_are_not_through() -> None:
    tally = FileTally()
    tally.add([row(seq) for seq in range(3, 8)])
    tally.watch(to(State.CONFIRMED, 4))
    assert tally.unsettled(2) == [3, 5]
    assert tally.unsettled(9, after=5) == [6, 7]
    tally.correct(3, State.UNKNOWN)
    assert (tally.counts[State.UNKNOWN], tally.open) == (1, 4)


@given(
    accepted=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    settled=st.sets(st.integers(1, 30)),
    first=st.integers(0, 40),
)
def test_the_counts_add_up_in_whatever_order_things_are_told(
    accepted: list[int], settled: set[int], first: int
) -> None:
    tally = FileTally()
    rows = [row(seq) for seq in accepted]
    tally.add(rows[:first])
    tally.watch(to(State.CONFIRMED, *settled))
    tally.add(rows[first:])
    for seq in tally.unsettled(100):
        if seq in settled:
            tally.correct(seq, State.CONFIRMED)
    assert sum(tally.counts.values()) == tally.accepted == len(accepted)
    assert tally.counts[State.CONFIRMED] == sum(seq in settled for seq in accepted)
