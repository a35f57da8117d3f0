"""A server as a model: what it does with a request, given what else it has to do at that moment."""

from __future__ import annotations

import random
from collections import deque
from typing import Literal

import msgspec

from dispatcher.flow import Outcome, parse_limits


class Outage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time in which the server is away.

    Attributes:
        from_s, to_s: when, in seconds of the scenario.
        how: nobody listens (refuse), packets vanish (vanish), a proxy answers 503 (unavailable) or 502 (bad_gateway).
    """

    from_s: float
    to_s: float
    how: Literal["refuse", "vanish", "unavailable", "bad_gateway"]


class ServerModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the server behaves.

    Attributes:
        way_s: one way over the network (s).
        way_jitter_s: up to that much more, uniform, on the way there (s).
        service_s: the work itself (s).
        service_jitter_s: mean of an exponential addition to the work (s).
        knee: requests it works on at once without effort; 0 for any number.
        slope_s: each request above the knee makes all of them take so much longer (s).
        room: requests it takes at once; 0 for any number.
        when_full: what happens to one more: 429, 503, no answer at all (drop), or a closed connection (close).
        retry_after_s: the wish that goes with 429 and 503; none when absent.
        limits: rate limits of its own; more is answered with 429.
        fail_share: share of requests that end in 500.
        outages: when it is away.
    """

    way_s: float = 0.005
    way_jitter_s: float = 0.0
    service_s: float = 0.04
    service_jitter_s: float = 0.0
    knee: int = 0
    slope_s: float = 0.0
    room: int = 0
    when_full: Literal["429", "503", "drop", "close"] = "429"
    retry_after_s: float | None = None
    limits: str = ""
    fail_share: float = 0.0
    outages: tuple[Outage, ...] = ()

    def outage_at(self, now: float) -> Outage | None:
        """The outage that `now` lies in."""
        return next((outage for outage in self.outages if outage.from_s <= now < outage.to_s), None)


class Answer(msgspec.Struct, frozen=True):
    """What a request meets at the server.

    Attributes:
        outcome: what the client will see.
        service_s: after so many seconds it is sent; None when nothing ever is.
        retry_after_s: the header that goes with it.
        worked: True when the request occupies the server until then.
    """

    outcome: Outcome
    service_s: float | None
    retry_after_s: float | None = None
    worked: bool = False


class SimulatedServer:
    """The model at work on a virtual clock."""

    def __init__(self, model: ServerModel, rng: random.Random) -> None:
        self.model = model
        self.busy = 0
        self.arrivals: list[float] = []
        self._rng = rng
        self._windows = [(limit, deque[float]()) for limit in parse_limits(model.limits)]

    def way_there_s(self) -> float:
        """How long the next request travels."""
        return self.model.way_s + self._rng.uniform(0.0, self.model.way_jitter_s)

    def receive(self, now: float) -> Answer:
        """A request arrives."""
        model = self.model
        if (outage := model.outage_at(now)) is not None:
            return self._away(outage)
        self.arrivals.append(now)
        if self._over_rate(now):
            return Answer("throttled", 0.0, model.retry_after_s)
        if model.room and self.busy >= model.room:
            return self._full()
        self.busy += 1
        failed = self._rng.random() < model.fail_share
        return Answer("failed" if failed else "ok", self._service_s(), worked=True)

    def _service_s(self) -> float:
        model = self.model
        above = max(0, self.busy - model.knee) if model.knee else 0
        extra = self._rng.expovariate(1.0 / model.service_jitter_s) if model.service_jitter_s else 0.0
        return model.service_s + above * model.slope_s + extra

    def _away(self, outage: Outage) -> Answer:
        match outage.how:
            case "refuse":
                return Answer("not_sent", 0.0)
            case "vanish":
                return Answer("backpressure", None)
            case "unavailable":
                return Answer("backpressure", 0.0, self.model.retry_after_s)
            case "bad_gateway":
                return Answer("failed", 0.0)

    def _full(self) -> Answer:
        match self.model.when_full:
            case "429":
                return Answer("throttled", 0.0, self.model.retry_after_s)
            case "503":
                return Answer("backpressure", 0.0, self.model.retry_after_s)
            case "drop":
                return Answer("backpressure", None)
            case "close":
                return Answer("failed", 0.0)

    def _over_rate(self, now: float) -> bool:
        for limit, taken in self._windows:
            while taken and taken[0] <= now - limit.window_s:
                taken.popleft()
        if any(len(taken) >= limit.count for limit, taken in self._windows):
            return True
        for _, taken in self._windows:
            taken.append(now)
        return False
