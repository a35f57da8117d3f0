"""A discrete-event simulation: a gate on one side, a modelled server on the other, a clock that costs nothing."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence

import msgspec

from dispatcher.flow import AccountGate, Limit, Outcome, Wait, parse_limits
from tests.scenarios.server import Answer, ServerModel, SimulatedServer


class ClientModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who sends.

    Attributes:
        seconds: length of the scenario.
        limits: rate limits of the gate.
        max_concurrency: likewise.
        timeout_s: a request without an answer is given up after that.
        work_per_s: new requests a second; 0 means that there is always one waiting.
        warm_up_s: the averages are taken from here on.
        late_s: up to that late a sleeper wakes, uniform (s).
    """

    seconds: float
    limits: str = ""
    max_concurrency: int = 16
    timeout_s: float = 10.0
    work_per_s: float = 0.0
    warm_up_s: float = 0.0
    late_s: float = 0.0


class Measured(msgspec.Struct, frozen=True):
    """What came out; the names that a scenario's `expect` may use.

    Attributes:
        ok_per_s: successes a second, after the warm-up.
        concurrency_mean: the adaptive limit, averaged over time, after the warm-up.
        in_flight_mean: requests in flight, likewise.
        in_flight_max: the most there ever were.
        throttled, backpressure, failed, not_sent: requests that ended so.
        limit_use: share of the tightest rate limit that arrived at the server, after the warm-up.
        over_limit: arrivals that were one too many for some window of the client's limits.
        resume_s: after the end of an outage, until the first success; the worst of them.
        ramp_in_flight: most requests in flight in the first 100 ms after a success resumed sending.
        recovered_per_s: successes a second in the time from 5 to 10 s after an outage; the worst of them.
        probes_per_s: most requests begun within any second of an outage, one time-out and one second after its start.
    """

    ok_per_s: float
    concurrency_mean: float
    in_flight_mean: float
    in_flight_max: int
    throttled: int
    backpressure: int
    failed: int
    not_sent: int
    limit_use: float
    over_limit: int
    resume_s: float
    ramp_in_flight: int
    recovered_per_s: float
    probes_per_s: int


class Simulation:
    """Runs one scenario; everything random comes from one seed."""

    def __init__(self, client: ClientModel, server: ServerModel, *, seed: int) -> None:
        self._rng = random.Random(seed)
        self._client = client
        self._server = SimulatedServer(server, self._rng)
        self._limits = parse_limits(client.limits)
        self._gate = AccountGate(
            limits=self._limits, max_concurrency=client.max_concurrency, now=0.0, rng=random.Random(seed + 1)
        )
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._now = 0.0
        self._asleep_until = math.inf
        self._waiting_work = math.inf if client.work_per_s == 0.0 else 0.0
        self._begun: list[float] = []
        self._ended: list[tuple[float, Outcome]] = []
        self._levels: list[tuple[float, int, int]] = [(0.0, self._gate.snapshot(0.0).concurrency, 0)]

    def run(self) -> Measured:
        """Play it to its end."""
        if self._client.work_per_s:
            self._at(0.0, self._new_work)
        self._at(0.0, self._pump)
        while self._events and self._events[0][0] <= self._client.seconds:
            self._now, _, happens = heapq.heappop(self._events)
            happens()
        return self._measure()

    def _at(self, when: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), happens))

    def _new_work(self) -> None:
        self._waiting_work += 1
        self._at(self._now + self._rng.expovariate(self._client.work_per_s), self._new_work)
        self._pump()

    def _wake(self, until: float) -> None:
        # One sleeper at a time: whoever was replaced by a later wish sleeps on.
        if until == self._asleep_until:
            self._pump()

    def _pump(self) -> None:
        while self._waiting_work >= 1:
            decision = self._gate.ask(self._now)
            if isinstance(decision, Wait):
                self._sleep(decision.seconds)
                return
            self._gate.begin(self._now)
            self._waiting_work -= 1
            self._begin()

    def _sleep(self, seconds: float) -> None:
        until = self._now + seconds + self._rng.uniform(0.0, self._client.late_s)
        self._asleep_until = until
        if math.isfinite(until):
            self._at(until, lambda: self._wake(until))

    def _begin(self) -> None:
        begun = self._now
        self._begun.append(begun)
        self._note_level()
        self._at(begun + self._server.way_there_s(), lambda: self._arrive(begun))

    def _arrive(self, begun: float) -> None:
        answer = self._server.receive(self._now)
        given_up = begun + self._client.timeout_s
        if answer.worked and answer.service_s is not None:
            self._at(self._now + answer.service_s, self._worked)
        back = math.inf if answer.service_s is None else self._now + answer.service_s + self._server.model.way_s
        if back <= given_up:
            self._at(back, lambda: self._end(begun, answer))
        else:
            self._at(given_up, lambda: self._end(begun, Answer("backpressure", None)))

    def _worked(self) -> None:
        self._server.busy -= 1

    def _end(self, begun: float, answer: Answer) -> None:
        self._gate.finish(self._now, self._now - begun, answer.outcome, retry_after_s=answer.retry_after_s)
        self._ended.append((self._now, answer.outcome))
        if answer.outcome not in {"ok", "refused"}:
            self._waiting_work += 1
        self._note_level()
        self._pump()

    def _note_level(self) -> None:
        # What `snapshot` reports too, without its cost at every event.
        adaptive = self._gate._adaptive
        self._levels.append((self._now, adaptive.limit, adaptive.in_flight))

    def _measure(self) -> Measured:
        start, end = self._client.warm_up_s, self._client.seconds
        count = {outcome: sum(ended == outcome for _, ended in self._ended) for outcome in _COUNTED}
        successes = [when for when, outcome in self._ended if outcome == "ok"]
        arrivals = self._server.arrivals
        tightest = min((limit.count / limit.window_s for limit in self._limits), default=math.inf)
        resumed = [(o.to_s, _first_from(successes, o.to_s)) for o in self._server.model.outages]
        return Measured(
            ok_per_s=_count_between(successes, start, end) / (end - start),
            concurrency_mean=self._mean(1, start, end),
            in_flight_mean=self._mean(2, start, end),
            in_flight_max=max(level[2] for level in self._levels),
            **count,
            limit_use=_count_between(arrivals, start, end) / (end - start) / tightest,
            over_limit=sum(over_limit(arrivals, limit) for limit in self._limits),
            resume_s=max((first - back for back, first in resumed), default=0.0),
            ramp_in_flight=max((self._most_in_flight(first, first + 0.1) for _, first in resumed), default=0),
            recovered_per_s=min((_count_between(successes, b + 5, b + 10) / 5 for b, _ in resumed), default=math.inf),
            probes_per_s=max((self._probes(o.from_s, o.to_s) for o in self._server.model.outages), default=0),
        )

    def _mean(self, column: int, start: float, end: float) -> float:
        total = 0.0
        for level, following in itertools.pairwise([*self._levels, (end, 0, 0)]):
            total += level[column] * max(0.0, min(end, following[0]) - max(start, level[0]))
        return total / (end - start)

    def _most_in_flight(self, start: float, end: float) -> int:
        return max((in_flight for when, _, in_flight in self._levels if start <= when < end), default=0)

    def _probes(self, start: float, end: float) -> int:
        settled = start + self._client.timeout_s + 1.0
        begun = [when for when in self._begun if settled <= when < end]
        return max((_count_between(begun, when, when + 1.0) for when in begun), default=0)


_COUNTED: tuple[Outcome, ...] = ("throttled", "backpressure", "failed", "not_sent")


def over_limit(arrivals: Sequence[float], limit: Limit) -> int:
    """How many arrivals had `limit.count` others in the window that ends with them."""
    ordered = sorted(arrivals)
    return sum(
        later - earlier < limit.window_s for earlier, later in zip(ordered, ordered[limit.count :], strict=False)
    )


def _count_between(times: Sequence[float], start: float, end: float) -> int:
    return sum(start <= when < end for when in times)


def _first_from(times: Sequence[float], start: float) -> float:
    return next((when for when in times if when >= start), math.inf)
