"""One account's gate: may the next request go now, and if not, why and how long."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import msgspec

from dispatcher.flow.backoff import full_jitter_s
from dispatcher.flow.breaker import Breaker
from dispatcher.flow.clock import SteadyClock
from dispatcher.flow.concurrency import AdaptiveLimit, Signal
from dispatcher.flow.gcra import GcraLimiter
from dispatcher.flow.limits import Limit, format_limits

PAUSE_BASE_S = 0.25
"""The account's first pause after back-pressure that named no time is drawn from up to that."""
PAUSE_CAP_S = 5.0
"""Later pauses grow up to that: as with the breaker's probes, sending resumes well within 15 s."""
SPREAD = 0.1
"""Up to a tenth is added to a `Retry-After`, so that several clients do not come back in the same instant,"""
SPREAD_CAP_S = 1.0
"""but no more than a second."""
_SAME_MOMENT_S = 1e-6

Why = Literal["limit", "concurrency", "blocked", "breaker", "denied"]

Outcome = Literal["ok", "refused", "throttled", "backpressure", "failed", "not_sent", "denied", "neutral"]
"""What became of a request, as the gate needs to know it.

- ok: answered as it should be.
- refused: refused for its content. The server is there, but the time it took is no measure.
- throttled: 429. Not carried out; the whole account waits.
- backpressure: 503 or a time-out. The server is overloaded; the whole account waits.
- failed: another server error, a broken connection, a foreign reply. It got through, but nothing good came back.
- not_sent: no connection; it cannot have arrived.
- denied: 401 or 403. Nothing goes any more.
- neutral: says nothing about the server (cancelled here).
"""

_SIGNALS: dict[Outcome, Signal] = {
    "ok": "ok",
    "refused": "neutral",
    "throttled": "backpressure",
    "backpressure": "backpressure",
    # A server that drops connections when it has too many looks like this.
    "failed": "backpressure",
    "not_sent": "neutral",
    "denied": "neutral",
    "neutral": "neutral",
}


@dataclass(frozen=True, slots=True)
class Go:
    """The request may begin now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The request may not begin yet.

    Attributes:
        seconds: ask again after that; infinite when only a `finish` (concurrency) or a person (denied) can change it.
        why: what it waits for: the rate "limit", the adaptive "concurrency", the account being "blocked" by
            back-pressure, the open "breaker", or a "denied" key.
    """

    seconds: float
    why: Why


Decision = Go | Wait
_GO: Final = Go()


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a gate at one moment, ready for JSON.

    Attributes:
        why: what the next request would wait for, "" when it may go.
        wait_s: for how long (s), None when no time can be named.
        limits: the rate limits as text, "" for none.
        limit_wait_s: what the rate limits alone would make it wait (s).
        concurrency: the adaptive limit now.
        max_concurrency: the highest it may be.
        in_flight: requests begun and not finished.
        rtt_s: the usual round trip (s), None before the first.
        blocked_for_s: how long the account is blocked still (s).
        breaker: closed, open or half_open.
        probe_in_s: time until the next probe may go (s), None when the breaker is closed.
        denied: the key was refused; nothing goes until `allow`.
        outcomes: finished requests by outcome.
        waited_s: seconds that work has waited, by reason.
    """

    why: Why | Literal[""]
    wait_s: float | None
    limits: str
    limit_wait_s: float
    concurrency: int
    max_concurrency: int
    in_flight: int
    rtt_s: float | None
    blocked_for_s: float
    breaker: str
    probe_in_s: float | None
    denied: bool
    outcomes: dict[Outcome, int]
    waited_s: dict[Why, float]


class AccountGate:
    """Rate limits, adaptive concurrency, pauses and breaker of one account, composed into one decision.

    Every request to the account goes through it, look-ups too:

        match gate.ask(now):
            case Wait(seconds=seconds):   ...sleep that long or until a request finishes, then ask again
            case Go():
                gate.begin(now)           ...in the same breath: nothing may run between ask and begin
                ...send it
                gate.finish(later, later - now, "ok")

    `ask` takes nothing, so a waiter may be cancelled at any time. Every `begin` needs exactly one `finish`.

    Args:
        limits: rate limits, see `parse_limits`.
        max_concurrency: most requests in flight; while the server is away, hanging probes may add a few.
        now: seconds on the clock used in every call, best a monotonic one.
        rng: source of all jitter.
        quiet_since: since when nobody has sent to this account, None when that is not known; see `GcraLimiter`.
        shared: the limits are kept for several processes together, by someone who tells this gate by `hold` what they
            make it wait for.
    """

    def __init__(
        self,
        *,
        limits: Iterable[Limit],
        max_concurrency: int,
        now: float,
        rng: random.Random,
        quiet_since: float | None = None,
        shared: bool = False,
    ) -> None:
        self._clock = SteadyClock(now)
        self._rng = rng
        self._limits = tuple(limits)
        self._shared = shared
        self._held_until = 0.0
        quiet_since = None if quiet_since is None else quiet_since - now
        self._limiter = GcraLimiter(() if shared else self._limits, 0.0, quiet_since=quiet_since)
        self._adaptive = AdaptiveLimit(max_concurrency)
        self._breaker = Breaker(rng)
        self._denied = False
        self._pauses = 0
        self._paused_at = -math.inf
        self._outcomes: dict[Outcome, int] = dict.fromkeys(get_args(Outcome), 0)
        self._waited_s: dict[Why, float] = dict.fromkeys(get_args(Why), 0.0)
        self._waiting: tuple[float, Wait] | None = None

    def ask(self, now: float) -> Decision:
        """Decide whether a request may begin now. Takes nothing."""
        steady = self._clock.read(now)
        self._book_wait(steady, goes_on=False)
        wait = self._obstacle(steady)
        if wait is None:
            return _GO
        self._waiting = (steady, wait)
        return wait

    def begin(self, now: float) -> None:
        """A request begins, after `ask` said `Go` for the same moment.

        Raises:
            RuntimeError: `ask` would not have said so. Nothing was counted.
        """
        steady = self._clock.read(now)
        if (wait := self._obstacle(steady)) is not None:
            raise RuntimeError(f"a request was begun while it had to wait for: {wait.why}")
        self._limiter.take(steady)
        self._adaptive.force_acquire()
        self._breaker.begin(steady)

    def finish(self, now: float, rtt_s: float, outcome: Outcome, *, retry_after_s: float | None = None) -> None:
        """A request ended.

        Args:
            now: when.
            rtt_s: seconds since its `begin`.
            outcome: what became of it.
            retry_after_s: the server's wish, with any outcome: a floor for the whole account, honoured up to an hour.

        Raises:
            RuntimeError: nothing is in flight.
        """
        steady = self._clock.read(now)
        rtt_s = max(0.0, rtt_s)
        begun = steady - rtt_s
        if self._waiting is not None and self._waiting[1].why == "concurrency":
            self._book_wait(steady, goes_on=False)
        self._adaptive.release(steady, rtt_s, _SIGNALS[outcome])
        self._outcomes[outcome] += 1
        match outcome:
            case "ok" | "refused":
                self._pauses = 0
                if self._breaker.success(steady):
                    self._paused_at = steady
                    self._adaptive.restart(steady)
            case "backpressure" | "failed" | "not_sent":
                self._breaker.failure(steady, begun)
            case "denied":
                self._denied = True
            case "throttled" | "neutral":
                pass
        own = outcome in {"throttled", "backpressure"}
        self._pause(steady, begun, own=own, retry_after_s=retry_after_s)

    def change(self, now: float, *, limits: Iterable[Limit], max_concurrency: int) -> None:
        """Keep other limits from now on; what was learnt of the server stays. See `GcraLimiter.change`."""
        self._limits = tuple(limits)
        self._limiter.change(() if self._shared else self._limits, self._clock.read(now))
        self._adaptive.cap(max_concurrency)

    def hold(self, now: float, seconds: float) -> None:
        """The limits, kept elsewhere, make the next request wait for so long; 0.0: not at all."""
        self._held_until = self._clock.read(now) + seconds

    def block(self, now: float, seconds: float) -> None:
        """Another process was asked to let nothing start for so long. A block that lasts longer already stays."""
        self._limiter.block(self._clock.read(now), seconds)

    def blocked(self, now: float) -> float:
        """Seconds that the account is blocked still."""
        return self._limiter.blocked(self._clock.read(now))

    def allow(self) -> None:
        """Send again after the key was denied: a person has put it right."""
        self._denied = False

    def snapshot(self, now: float) -> GateReport:
        """What is going on, for `explain`, the metrics and the page."""
        steady = self._clock.read(now)
        self._book_wait(steady, goes_on=True)
        wait = self._obstacle(steady)
        return GateReport(
            why=wait.why if wait else "",
            wait_s=0.0 if wait is None else wait.seconds if math.isfinite(wait.seconds) else None,
            limits=format_limits(self._limits),
            limit_wait_s=self._rate_delay(steady),
            concurrency=self._adaptive.limit,
            max_concurrency=self._adaptive.max_concurrency,
            in_flight=self._adaptive.in_flight,
            rtt_s=self._adaptive.usual_rtt_s,
            blocked_for_s=self._limiter.blocked(steady),
            breaker=self._breaker.state.value,
            probe_in_s=None if self._breaker.closed else self._breaker.delay(steady),
            denied=self._denied,
            outcomes={**self._outcomes},
            waited_s={**self._waited_s},
        )

    def _obstacle(self, steady: float) -> Wait | None:
        if self._denied:
            return Wait(math.inf, "denied")
        if seconds := self._limiter.blocked(steady):
            return Wait(seconds, "blocked")
        if seconds := self._breaker.delay(steady):
            return Wait(seconds, "breaker")
        # A probe finds its way past requests that hang; it goes out by the clock.
        if self._breaker.closed and self._adaptive.full:
            return Wait(math.inf, "concurrency")
        if seconds := self._rate_delay(steady):
            return Wait(seconds, "limit")
        return None

    def _rate_delay(self, steady: float) -> float:
        wait_s = max(self._limiter.rate_delay(steady), self._held_until - steady)
        return wait_s if wait_s > _SAME_MOMENT_S else 0.0

    def _pause(self, steady: float, begun: float, *, own: bool, retry_after_s: float | None) -> None:
        seconds = 0.0
        if retry_after_s is not None and retry_after_s > 0.0:
            seconds = retry_after_s + self._rng.uniform(0.0, min(retry_after_s * SPREAD, SPREAD_CAP_S))
        # Requests that were out together and failed together are one failure: one begun after the last pause counts.
        if own and begun >= self._paused_at - _SAME_MOMENT_S:
            self._paused_at = steady
            seconds = max(seconds, full_jitter_s(self._pauses, self._rng, base_s=PAUSE_BASE_S, cap_s=PAUSE_CAP_S))
            self._pauses += 1
        if seconds:
            self._limiter.block(steady, seconds)

    def _book_wait(self, steady: float, *, goes_on: bool) -> None:
        # Time counts as waited only up to what was promised: a sender that does not come back had nothing to send.
        if self._waiting is None:
            return
        since, wait = self._waiting
        passed = min(steady - since, wait.seconds)
        self._waited_s[wait.why] += passed
        left = wait.seconds - passed
        self._waiting = (steady, Wait(left, wait.why)) if goes_on and left > 0.0 else None

    def __repr__(self) -> str:
        wait = self._obstacle(self._clock.last)
        state = f"waits {wait.seconds:.3f} s for {wait.why}" if wait else "ready"
        return f"<AccountGate {state}: {self._limiter!r}, {self._adaptive!r}, {self._breaker!r}>"
