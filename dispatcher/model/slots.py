"""What is asked of limits that several processes share, and what is answered: slots, lateness, blocks.

A slot is a moment at which one request may be on the wire. All times are relative to a moment that both sides know, so
that nobody's clock has to be right.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class SlotWindow(msgspec.Struct, frozen=True):
    """One limit as GCRA keeps it: `count` requests in `window_s` seconds, see `dispatcher.flow.gcra`."""

    window_s: float
    count: int
    interval_s: float
    burst_s: float


class Late(NamedTuple):
    """A request that may arrive later than its slot allows for.

    Attributes:
        window: place of the window in the question.
        number: of its slot.
        until_s: it has arrived by then, in seconds from the moment of asking; negative: before.
    """

    window: int
    number: int
    until_s: float


class SlotAsk(msgspec.Struct, frozen=True, kw_only=True):
    """A question for slots, and what there is to tell.

    Attributes:
        windows: the limits; none: only whether the account is blocked.
        want: slots at most; 0: only to tell.
        lead_s: a slot lies that far ahead at least (s).
        ahead_s: and at most (s).
        late: requests that are late.
        blocked_s: the server asked for a pause that lasts so long still (s); 0.0: it did not.
        round_trip_s: the shortest to the server and back of late (s); 0.0: that is not known yet.
    """

    windows: tuple[SlotWindow, ...]
    want: int = 1
    lead_s: float = 0.0
    ahead_s: float = 0.0
    late: tuple[Late, ...] = ()
    blocked_s: float = 0.0
    round_trip_s: float = 0.0


class SlotAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, as of one moment between asking and hearing it.

    Attributes:
        clock: that moment on the clock of whoever keeps the limits (s).
        first: number of the first slot; the others follow.
        slots: seconds from that moment to each slot given.
        given: slots ever given to anybody, these too. The next one has this number.
        wait_s: seconds from that moment to the next slot, which is not given yet.
        blocked_s: how long the account is blocked still (s); then no slot is given.
        round_trip_s: the shortest that anybody has told of late (s); 0.0: nobody has.
        reserved: a part of the limits is kept for processes that may be sending without asking.
    """

    clock: float
    first: int
    slots: tuple[float, ...]
    given: int
    wait_s: float
    blocked_s: float
    round_trip_s: float = 0.0
    reserved: bool = False


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """What this process may send while nobody can be asked: a share of every limit.

    It may do so from `heard_at + quiet_s` and one window and `settle_s` on, until `asked_at + lease_s`; in between the
    others leave the share free.

    Attributes:
        asked_at, heard_at: when it was asked for and when it was heard, on this process's monotonic clock (s).
        share: of every limit, 0 to 1.
        quiet_s: after so long a silence the others leave the share free (s).
        settle_s: to be on the safe side (s).
        lease_s: it ends then (s).
    """

    asked_at: float
    heard_at: float
    share: float
    quiet_s: float
    settle_s: float
    lease_s: float
