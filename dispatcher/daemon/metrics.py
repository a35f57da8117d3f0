"""`/metrics`: what Prometheus reads. Everything is asked of its owner at the moment of the scrape."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatcher.flow import GateReport
from dispatcher.model.state import State
from dispatcher.pipeline import Dispatcher, PipelineStatus

ACCEPT_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""From a quick commit to a disk in trouble."""
UNSETTLED = tuple(state for state in State if not state.settled)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One account at the moment of a scrape.

    Attributes:
        status: of its pipeline.
        gate: of its gate.
        sent_jobs: jobs that this process's createjobs requests carried.
        oldest_s: age of the oldest job that is not through, None when all are.
        fleet_age_s: age of the fleet, infinite without one.
        ready: whether jobs can be taken and are sent.
    """

    status: PipelineStatus
    gate: GateReport
    sent_jobs: int
    oldest_s: float | None
    fleet_age_s: float
    ready: bool


async def sample(dispatcher: Dispatcher, *, problem: str) -> Sample:
    """Ask an account."""
    pipeline = dispatcher.pipeline
    oldest = await dispatcher.page(states=UNSETTLED, limit=1)
    return Sample(
        status=await pipeline.status(),
        gate=pipeline.turnstile.gate.snapshot(pipeline.clock.monotonic()),
        sent_jobs=pipeline.sender.tally.jobs,
        oldest_s=pipeline.clock.now() - oldest[0].accepted_at if oldest else None,
        fleet_age_s=pipeline.fleet.age_s,
        ready=not problem,
    )


class Meters:
    """What is counted as it happens, and the text that comes of it and of samples."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a time of birth beside every counter, which nobody reads
        self._registry = CollectorRegistry(auto_describe=False)
        self._accepted = Counter(
            "dispatcher_accepted_jobs", "Jobs acknowledged as durable.", ["account"], registry=self._registry
        )
        self._latency = Histogram(
            "dispatcher_accept_seconds",
            "From checked to durable, per request.",
            ["account"],
            registry=self._registry,
            buckets=ACCEPT_BUCKETS_S,
        )
        self._requests = Counter(
            "dispatcher_http_requests",
            "Requests answered, by route and status.",
            ["route", "code"],
            registry=self._registry,
        )
        self._by_account: dict[str, tuple[Counter, Histogram]] = {}
        self._by_route: dict[tuple[str, int], Counter] = {}
        ProcessCollector(registry=self._registry)

    def accepted(self, account: str, jobs: int, seconds: float) -> None:
        """A request's jobs are durable."""
        found = self._by_account.get(account)
        if found is None:
            found = self._by_account[account] = self._accepted.labels(account), self._latency.labels(account)
        found[0].inc(jobs)
        found[1].observe(seconds)

    def answered(self, route: str, code: int) -> None:
        """A request was answered."""
        found = self._by_route.get((route, code))
        if found is None:
            found = self._by_route[route, code] = self._requests.labels(route, str(code))
        found.inc()

    def text(self, samples: Sequence[Sample], *, connections: int) -> bytes:
        """Everything in Prometheus' text format."""
        moment = _Moment(samples, connections)
        self._registry.register(moment)
        try:
            return generate_latest(self._registry)
        finally:
            self._registry.unregister(moment)


class _Moment(Collector):
    """Samples as metrics."""

    def __init__(self, samples: Sequence[Sample], connections: int) -> None:
        self._samples = samples
        self._connections = connections

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("dispatcher_http_connections", "Open connections of clients.", value=self._connections)
        yield self._states()
        yield self._gauge("jobs_oldest_unsettled_seconds", "Age of the oldest job that is not through.", "oldest_s")
        yield self._gauge("fleet_age_seconds", "Since the members were read.", "fleet_age_s")
        yield self._gauge("ready", "1 when jobs can be taken and are sent.", "ready")
        yield self._gauge("requests_in_flight", "Requests to Hellotracks under way.", "gate.in_flight")
        yield self._gauge("concurrency_limit", "Requests that may be under way, adaptive.", "gate.concurrency")
        yield self._gauge("blocked_seconds", "How long the account still waits.", "gate.blocked_for_s")
        yield self._gauge("round_trip_seconds", "The usual round trip.", "gate.rtt_s")
        yield self._by_name("requests", "Requests to Hellotracks that ended, by outcome.", "outcome", "gate.outcomes")
        yield self._by_name("waited_seconds", "Time that work has waited, by reason.", "reason", "gate.waited_s")
        yield self._counter("create_requests", "createjobs requests started.", "status.requests")
        yield self._counter("sent_jobs", "Jobs that they carried; divided, the mean batch.", "sent_jobs")
        yield self._counter("look_ups", "Look-up requests started.", "status.look_ups")
        decisions = CounterMetricFamily("dispatcher_decisions", "Decisions, by kind.", labels=["account", "kind"])
        for one in self._samples:
            for kind in ("assigned", "fallback", "preassigned"):
                decisions.add_metric([one.status.account, kind], getattr(one.status, kind))
        yield decisions

    def _states(self) -> Metric:
        family = GaugeMetricFamily("dispatcher_jobs", "Jobs in the spool, by state.", labels=["account", "state"])
        for one in self._samples:
            for state, count in one.status.counts.items():
                family.add_metric([one.status.account, state], count)
        return family

    def _gauge(self, name: str, text: str, path: str) -> Metric:
        family = GaugeMetricFamily(f"dispatcher_{name}", text, labels=["account"])
        for one in self._samples:
            value = _value(one, path)
            if value is not None and math.isfinite(value):
                family.add_metric([one.status.account], float(value))
        return family

    def _counter(self, name: str, text: str, path: str) -> Metric:
        family = CounterMetricFamily(f"dispatcher_{name}", text, labels=["account"])
        for one in self._samples:
            family.add_metric([one.status.account], _value(one, path) or 0)
        return family

    def _by_name(self, name: str, text: str, label: str, path: str) -> Metric:
        family = CounterMetricFamily(f"dispatcher_{name}", text, labels=["account", label])
        for one in self._samples:
            holder, _, field = path.rpartition(".")
            for key, value in getattr(getattr(one, holder), field).items():
                family.add_metric([one.status.account, key], value)
        return family


def _value(one: Sample, path: str) -> float | None:
    value: object = one
    for name in path.split("."):
        value = getattr(value, name)
    return value if isinstance(value, int | float) else None
