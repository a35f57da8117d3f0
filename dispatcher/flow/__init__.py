"""Flow control: when a request may go, so that the server's limits hold and its troubles are not made worse.

Everything here is pure: the caller hands in `now` and the source of randomness, and is told what to do.
"""

from dispatcher.flow.arrivals import Arrivals, Sent
from dispatcher.flow.backoff import RetryBudget, full_jitter_s
from dispatcher.flow.breaker import Breaker, BreakerState
from dispatcher.flow.clock import SteadyClock
from dispatcher.flow.concurrency import AdaptiveLimit
from dispatcher.flow.gate import AccountGate, Decision, GateReport, Go, Outcome, Wait
from dispatcher.flow.gcra import GcraLimiter
from dispatcher.flow.lateness import Slot
from dispatcher.flow.limits import Limit, format_limits, parse_limits
from dispatcher.flow.share import closes_at, opens_at, share_of
from dispatcher.flow.slots import SharedSlots

__all__ = [  # noqa: RUF022 - grouped by what a reader looks for
    # the gate of an account
    "AccountGate",
    "Decision",
    "GateReport",
    "Go",
    "Outcome",
    "Wait",
    # limits as text
    "Limit",
    "format_limits",
    "parse_limits",
    # the controllers it is made of
    "AdaptiveLimit",
    "Arrivals",
    "Breaker",
    "BreakerState",
    "GcraLimiter",
    "Sent",
    "SteadyClock",
    # limits that several processes share
    "SharedSlots",
    "Slot",
    "closes_at",
    "opens_at",
    "share_of",
    # trying again
    "RetryBudget",
    "full_jitter_s",
]
