"""The memory behind `claim`."""

from __future__ import annotations

from dispatcher.model.state import State
from dispatcher.spool.lanes import Claims, Lane


def test_a_search_raises_the_floor_to_what_it_has_seen() -> None:
    lane = Lane(1, State.ACCEPTED)
    lane.search_begins()
    lane.search_ends(7)
    assert lane.floor == 7


def test_a_row_that_comes_back_during_a_search_is_not_passed_over() -> None:
    lane = Lane(1, State.ACCEPTED)
    lane.search_ends(9)
    lane.search_begins()
    lane.lower(4)
    lane.lower(6)
    lane.search_ends(20)
    assert lane.floor == 3
    lane.search_begins()
    lane.search_ends(20)
    assert lane.floor == 20


def test_a_row_that_comes_back_above_the_floor_changes_nothing() -> None:
    lane = Lane(1, State.ACCEPTED)
    lane.search_ends(5)
    lane.lower(8)
    assert lane.floor == 5


def test_a_released_row_lowers_the_floor_of_the_lane_it_was_taken_from() -> None:
    claims = Claims()
    lane = claims.lane(1, State.ASSIGNED)
    lane.search_ends(5)
    claims.take(lane, 3)
    claims.release([3, 4])
    assert lane.floor == 2
    assert claims.held == {}


def test_the_account_of_rows_is_known_while_they_are_held_or_sent_and_forgotten_after() -> None:
    claims = Claims()
    for seq in (1, 2):
        claims.take(claims.lane(7, State.ASSIGNED), seq)
    assert claims.home([1, 2]) == 7
    claims.moved(7, [1, 2], State.SENDING, due=True)
    assert claims.home([1, 2]) == 7
    assert claims.home([1, 3]) is None
    claims.moved(7, [1, 2], State.CONFIRMED, due=True)
    assert claims.home([1]) is None


def test_rows_of_two_accounts_have_no_common_one() -> None:
    claims = Claims()
    claims.take(claims.lane(1, State.ACCEPTED), 1)
    claims.take(claims.lane(2, State.ACCEPTED), 2)
    assert claims.home([1, 2]) is None


def test_only_those_who_watch_hear_of_a_move() -> None:
    claims = Claims()
    first, second = claims.watch(), claims.watch()
    claims.unwatch(first)
    claims.moved(1, [5], State.DEAD, due=False)
    assert (first, second) == (set(), {5})
