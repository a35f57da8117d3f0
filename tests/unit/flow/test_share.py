"""What may be sent without asking, and when."""

from __future__ import annotations

import doctest

from dispatcher.flow import closes_at, opens_at, parse_limits, share, share_of
from dispatcher.model.slots import Permit

PERMIT = Permit(asked_at=99.0, heard_at=100.0, share=0.25, quiet_s=4.0, settle_s=1.75, lease_s=10.0)


def test_the_example_holds() -> None:
    assert doctest.testmod(share).failed == 0


def test_nothing_goes_when_one_limit_leaves_less_than_a_request() -> None:
    assert share_of(parse_limits("20/s, 3/min"), 0.25) is None
    assert share_of(parse_limits("20/s, 4/min"), 0.25) == parse_limits("5/s, 1/min")


def test_it_opens_a_window_after_the_others_have_noticed_and_closes_with_the_lease() -> None:
    """Counted from hearing at the one end and from asking at the other: rather too short than too long."""
    assert opens_at(PERMIT, parse_limits("20/s, 9/2s")) == 100.0 + 4.0 + 2.0 + 1.75
    assert closes_at(PERMIT) == 109.0
