"""What a process may send of the account's limits while it cannot ask for slots."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.flow.limits import Limit
from dispatcher.model.slots import Permit


def share_of(limits: Iterable[Limit], share: float) -> tuple[Limit, ...] | None:
    """A share of every limit, rounded down; None: nothing at all can be sent under one of them.

    >>> [str(limit) for limit in share_of([Limit(20, 1.0)], 1 / 3)]
    ['6/s']
    """
    counts = [(int(limit.count * share), limit.window_s) for limit in limits]
    return None if any(count < 1 for count, _ in counts) else tuple(Limit(*one) for one in counts)


def opens_at(permit: Permit, limits: Iterable[Limit]) -> float:
    """From when on the others leave the share free (monotonic s): they have noticed, and a window has passed since."""
    longest_s = max((limit.window_s for limit in limits), default=0.0)
    return permit.heard_at + permit.quiet_s + longest_s + permit.settle_s


def closes_at(permit: Permit) -> float:
    """Until when they do (monotonic s)."""
    return permit.asked_at + permit.lease_s
