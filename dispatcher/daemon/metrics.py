"""`/metrics`: what Prometheus reads. Everything is asked of its owner at the moment of the scrape."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from dispatcher.daemon.families import Families
from dispatcher.daemon.process import ProcessSample
from dispatcher.daemon.sample import Sample

ACCEPT_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""From a quick commit to a disk in trouble."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Meters:
    """What is counted as it happens, and the text that comes of it and of samples."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a time of birth beside every counter, which nobody reads
        self._registry = CollectorRegistry(auto_describe=False)
        self._accepted = Counter(
            "dispatcher_accepted_jobs", "Jobs acknowledged as durable.", ["account"], registry=self._registry
        )
        self._from_clients = Counter(
            "dispatcher_client_jobs",
            "The same for clients with a key of their own.",
            ["account", "client"],
            registry=self._registry,
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

    def accepted(self, account: str, jobs: int, seconds: float, *, client: str = "") -> None:
        """A request's jobs are durable; the client's name, when it has one."""
        found = self._by_account.get(account)
        if found is None:
            found = self._by_account[account] = self._accepted.labels(account), self._latency.labels(account)
        found[0].inc(jobs)
        found[1].observe(seconds)
        if client:
            self._from_clients.labels(account, client).inc(jobs)

    def answered(self, route: str, code: int) -> None:
        """A request was answered."""
        found = self._by_route.get((route, code))
        if found is None:
            found = self._by_route[route, code] = self._requests.labels(route, str(code))
        found.inc()

    def text(self, samples: Sequence[Sample], process: ProcessSample) -> bytes:
        """Everything in Prometheus' text format."""
        moment = Families(samples, process)
        self._registry.register(moment)
        try:
            return generate_latest(self._registry)
        finally:
            self._registry.unregister(moment)
