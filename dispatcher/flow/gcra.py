"""Rate limits kept by GCRA (the virtual scheduling algorithm of ITU-T I.371), several windows at a time.

Of a limit of `count` requests in `window_s` seconds the limiter uses a rate a little below `count / window_s`. What it
leaves free, the slack, is what makes the promise hold where it is measured, at the server:

    interval_s = (window_s + slack_s) / count           slack_s = burst_s + jitter_s

A request may start when `now >= tat - burst_s`; it moves `tat` (the theoretical arrival time) to
`max(now, tat) + interval_s`. So any stretch of `window_s + jitter_s` seconds holds at most `count` requests at the
sender, and any `window_s` seconds hold at most `count` at the server as long as the ways there differ by less than
`jitter_s`. In the words of token buckets: with `burst = slack_s / interval_s` and `rate = 1 / interval_s`,
`burst + rate * window_s = count`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dispatcher.flow.clock import SteadyClock
from dispatcher.flow.limits import Limit

SLACK = 0.04
"""Share of a window left free: 1 / 1.04 = 96 % of a limit is used; 95 % is promised."""
JITTER_SHARE = 0.7
"""Share of the slack that covers jitter (28 ms a second); the rest lets a late sender catch up (12 ms a second)."""
JITTER_CAP_S = 2.0
"""Ways to a server seldom differ by more; in long windows the rest of the slack is worth more as burst."""
LONGEST_BLOCK_S = 3600.0
"""A wish to wait is honoured up to an hour: a mistaken header must not silence the account for a year."""
_EARLY_S = 1e-6
"""A wait shorter than that is none: wall clocks resolve a quarter of a microsecond, and nobody sleeps for less."""


class Spacing(NamedTuple):
    """How requests under a limit are spaced, in seconds; see above."""

    interval_s: float
    burst_s: float
    jitter_s: float


def spacing(limit: Limit) -> Spacing:
    """How requests under a limit are spaced."""
    slack_s = limit.window_s * SLACK
    jitter_s = min(slack_s * JITTER_SHARE, JITTER_CAP_S)
    return Spacing((limit.window_s + slack_s) / limit.count, slack_s - jitter_s, jitter_s)


class _Window:
    """One limit and how far it has been used up."""

    __slots__ = ("burst_s", "interval_s", "jitter_s", "tat")

    def __init__(self, limit: Limit, quiet_s: float) -> None:
        self.interval_s, self.burst_s, self.jitter_s = spacing(limit)
        self.tat = self.burst_s + self.interval_s - quiet_s


class GcraLimiter:
    """When the next request may start, so that no window at the server ever holds more than its limit.

    `delay` only looks and `take` takes, so a waiter that is cancelled leaves nothing behind. Both must be called
    without anything in between that lets another task run.

    A new limiter assumes that a process before it has used everything up to this moment; the first request waits for
    one interval (a minute with "1/min"). Whoever knows better says so with `quiet_since`.

    Whatever lies between `take` and the moment at which the server counts the request (a commit, a busy event loop, the
    network) is the request's way; ways may differ by `jitter_s`.

    Args:
        limits: any number of limits; none means that only `block` makes it wait.
        now: seconds on any clock; the same clock in every call. A monotonic one is best; one that is set back costs
            nothing, one that is set forward may be worth one burst.
        quiet_since: a moment on that clock since when nobody has sent anything; None when that is not known.

    >>> limiter = GcraLimiter([Limit(20, 1.0)], 0.0, quiet_since=-1.0)
    >>> limiter.delay(0.0)
    0.0
    >>> limiter.take(0.0)
    """

    __slots__ = ("_blocked_until", "_clock", "_limits", "_windows")

    def __init__(self, limits: Iterable[Limit], now: float, *, quiet_since: float | None = None) -> None:
        quiet_s = 0.0 if quiet_since is None else max(0.0, now - quiet_since)
        self._clock = SteadyClock(now)
        self._limits = tuple(limits)
        self._windows = tuple(_Window(limit, quiet_s) for limit in self._limits)
        self._blocked_until = 0.0

    def change(self, limits: Iterable[Limit], now: float) -> None:
        """Keep other limits from now on; a block stays.

        A window of a limit that stays goes on as it is. One of a new limit counts from now on, and begins as full as
        that of a new limiter: what was sent under the limits before is not known to it.
        """
        self._clock.read(now)
        going_on = dict(zip(self._limits, self._windows, strict=True))
        self._limits = tuple(limits)
        self._windows = tuple(going_on.get(limit) or self._fresh(limit) for limit in self._limits)

    def delay(self, now: float) -> float:
        """Seconds until a request may start; 0.0: now. Takes nothing."""
        steady = self._clock.read(now)
        return _wait(max(self._rate_ready_at(), self._blocked_until), steady)

    def rate_delay(self, now: float) -> float:
        """Like `delay`, for the limits alone: without regard to `block`."""
        return _wait(self._rate_ready_at(), self._clock.read(now))

    def take(self, now: float) -> None:
        """Count a request that starts now.

        Raises:
            RuntimeError: `delay` is not 0 yet. Nothing was counted.
        """
        wait_s = self.delay(now)
        if wait_s:
            raise RuntimeError(f"a request was started {wait_s:.6f} s too early")
        steady = self._clock.last
        for window in self._windows:
            window.tat = max(steady, window.tat) + window.interval_s

    def block(self, now: float, seconds: float) -> None:
        """Let nothing start for so many seconds (at most an hour). A block that lasts longer already stays."""
        until = self._clock.read(now) + min(seconds, LONGEST_BLOCK_S)
        self._blocked_until = max(self._blocked_until, until)

    def blocked(self, now: float) -> float:
        """Seconds that a block still lasts, 0.0 when there is none."""
        return _wait(self._blocked_until, self._clock.read(now))

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits as given."""
        return self._limits

    @property
    def jitter_s(self) -> float:
        """Ways to the server may differ by less than that (s) and no window goes over; infinite without limits."""
        return min((window.jitter_s for window in self._windows), default=float("inf"))

    @property
    def rate_per_s(self) -> float:
        """Requests a second in the long run; infinite without limits."""
        return min((1.0 / window.interval_s for window in self._windows), default=float("inf"))

    def __repr__(self) -> str:
        steady = self._clock.last
        limits = ", ".join(map(str, self._limits)) or "no limits"
        rate_s, blocked_s = _wait(self._rate_ready_at(), steady), _wait(self._blocked_until, steady)
        return f"<GcraLimiter {limits}: next in {max(rate_s, blocked_s):.3f} s, blocked for {blocked_s:.3f} s>"

    def _fresh(self, limit: Limit) -> _Window:
        window = _Window(limit, 0.0)
        window.tat += self._clock.last
        return window

    def _rate_ready_at(self) -> float:
        return max((window.tat - window.burst_s for window in self._windows), default=0.0)


def _wait(until: float, steady: float) -> float:
    wait_s = until - steady
    return wait_s if wait_s > _EARLY_S else 0.0
