"""Samples as Prometheus' metric families: names, help and labels of everything that is asked at a scrape."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dispatcher import __version__
from dispatcher.daemon.process import ProcessSample
from dispatcher.daemon.sample import FleetSample, Sample
from dispatcher.model.histogram import Histogram

PREFIX = "dispatcher_"
_Number = Callable[[Sample], float | None]
_Numbers = Callable[[Sample], Mapping[Any, float]]


class Families(Collector):
    """The moment of one scrape."""

    def __init__(self, samples: Sequence[Sample], process: ProcessSample) -> None:
        self._samples = samples
        self._process = process

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._of_process()
        yield from self._of_flow()
        yield from self._of_delivery()
        yield from self._of_gate()
        yield from self._of_engine()

    def _of_process(self) -> Iterator[Metric]:
        now = self._process
        build = GaugeMetricFamily(PREFIX + "build_info", "1, with the version.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield GaugeMetricFamily(PREFIX + "http_connections", "Open connections of clients.", value=now.connections)
        yield _alone("event_loop_lag_seconds", "How late the event loop came round.", now.lag)
        if now.commits is not None:
            yield _alone("spool_commit_seconds", "Commits of the spool, the wait for the disk included.", now.commits)
        yield from self._of_nodes()
        if now.free_bytes is None:
            return
        sizes = GaugeMetricFamily(PREFIX + "spool_bytes", "Size of the spool's file and of its log.", labels=["file"])
        for file, size in now.spool_bytes.items():
            sizes.add_metric([file], size)
        yield sizes
        yield GaugeMetricFamily(PREFIX + "spool_disk_free_bytes", "Left on the spool's disk.", value=now.free_bytes)
        yield GaugeMetricFamily(
            PREFIX + "spool_disk_floor_bytes", "Free space below which new jobs are refused.", value=now.min_free_bytes
        )

    def _of_nodes(self) -> Iterator[Metric]:
        now = self._process
        if now.nodes is not None:
            nodes = GaugeMetricFamily(PREFIX + "nodes", "Processes on the same database, by state.", labels=["state"])
            for state, many in now.nodes.items():
                nodes.add_metric([state], many)
            yield nodes
        if now.lease_runs is not None:
            yield GaugeMetricFamily(
                PREFIX + "lease_runs", "1 while this process holds its lease at the database.", value=now.lease_runs
            )
        if now.failures is not None:
            yield CounterMetricFamily(
                PREFIX + "spool_failures", "Groups of writes that the database was away for.", value=now.failures
            )

    def _of_flow(self) -> Iterator[Metric]:
        yield self._gauges("jobs", "Jobs in the spool, by state.", "state", lambda one: one.status.counts)
        yield self._counters("job_moves", "Jobs that came into a state.", "state", lambda one: one.moved)
        yield self._gauge("jobs_limit", "Unsettled jobs that the spool may hold.", lambda one: one.max_rows)
        yield self._gauge(
            "jobs_oldest_unsettled_seconds", "Age of the oldest job that is not through.", lambda one: one.oldest_s
        )
        yield self._gauge("ready", "1 when jobs can be taken and are sent.", lambda one: one.ready)
        yield self._gauge("leads", "1 when this process decides who gets the jobs.", lambda one: one.status.leads)

    def _of_delivery(self) -> Iterator[Metric]:
        yield self._counters(
            "requests", "Requests to Hellotracks that ended, by outcome.", "outcome", lambda one: one.gate.outcomes
        )
        yield self._counter("create_requests", "createjobs requests started.", lambda one: one.sent.requests)
        yield self._counter("sent_jobs", "Jobs that they carried.", lambda one: one.sent.jobs)
        yield self._histogram("batch_jobs", "Jobs of each createjobs request.", lambda one: one.sent.sizes)
        yield self._histogram("request_seconds", "Time of each createjobs request.", lambda one: one.sent.seconds)
        yield self._counter("look_ups", "Look-up requests started.", lambda one: one.status.look_ups)

    def _of_gate(self) -> Iterator[Metric]:
        yield self._histogram(
            "limiter_wait_seconds", "What each createjobs request waited to be let through.", lambda one: one.sent.waits
        )
        yield self._counters(
            "waited_seconds", "Time that work has waited, by reason.", "reason", lambda one: one.gate.waited_s
        )
        yield self._gauge("requests_in_flight", "Requests to Hellotracks under way.", lambda one: one.gate.in_flight)
        yield self._gauge(
            "concurrency_limit", "Requests that may be under way, adaptive.", lambda one: one.gate.concurrency
        )
        yield self._gauge("concurrency_limit_max", "The most it may be.", lambda one: one.gate.max_concurrency)
        yield self._gauge("blocked_seconds", "How long the account still waits.", lambda one: one.gate.blocked_for_s)
        yield self._gauge(
            "breaker_open", "1 while the server counts as away.", lambda one: one.gate.breaker != "closed"
        )
        yield self._gauge("denied", "1 while the server denies access.", lambda one: bool(one.status.denied))
        yield self._gauge("round_trip_seconds", "The usual round trip.", lambda one: one.gate.rtt_s)

    def _of_engine(self) -> Iterator[Metric]:
        yield self._counters("decisions", "Decisions, by kind.", "kind", _kinds)
        yield self._histogram("decision_seconds", "Time of each batch of decisions.", lambda one: one.decided.seconds)
        yield self._histogram("decision_jobs", "Jobs of each batch of decisions.", lambda one: one.decided.sizes)
        yield self._histogram(
            "decision_fit_tests",
            "Exact fit tests of each decision.",
            lambda one: one.fleet.tests if one.fleet else None,
        )
        yield self._fleet("fleet_age_seconds", "Since the members were read.", lambda fleet: fleet.age_s)
        yield self._fleet("fleet_max_age_seconds", "Age at which it is unusable.", lambda fleet: fleet.max_age_s)
        yield self._fleet("fleet_usable", "0 while the fallback decides instead.", lambda fleet: fleet.usable)
        yield self._fleet("fleet_members", "Members that it knows.", lambda fleet: fleet.members)
        yield self._counters(
            "fleet_reads",
            "Readings on the schedule, by what was read.",
            "kind",
            lambda one: one.fleet.reads if one.fleet else {},
        )
        yield self._counters(
            "hook_events",
            "Events of jobs that webhooks told, by what became of them.",
            "outcome",
            lambda one: one.fleet.events if one.fleet else {},
        )
        yield self._counter(
            "jobs_reassigned",
            "Jobs that got another member.",
            lambda one: one.fleet.reassigned if one.fleet else 0,
        )

    def _fleet(self, name: str, text: str, value: Callable[[FleetSample], float]) -> Metric:
        return self._gauge(name, text, lambda one: value(one.fleet) if one.fleet else None)

    def _gauge(self, name: str, text: str, value: _Number) -> Metric:
        family = GaugeMetricFamily(PREFIX + name, text, labels=["account"])
        for one in self._samples:
            number = value(one)
            if number is not None and math.isfinite(number):
                family.add_metric([one.account], float(number))
        return family

    def _counter(self, name: str, text: str, value: Callable[[Sample], float]) -> Metric:
        family = CounterMetricFamily(PREFIX + name, text, labels=["account"])
        for one in self._samples:
            family.add_metric([one.account], value(one))
        return family

    def _gauges(self, name: str, text: str, label: str, values: _Numbers) -> Metric:
        return self._labelled(GaugeMetricFamily(PREFIX + name, text, labels=["account", label]), values)

    def _counters(self, name: str, text: str, label: str, values: _Numbers) -> Metric:
        return self._labelled(CounterMetricFamily(PREFIX + name, text, labels=["account", label]), values)

    def _labelled(self, family: GaugeMetricFamily | CounterMetricFamily, values: _Numbers) -> Metric:
        for one in self._samples:
            for key, number in values(one).items():
                family.add_metric([one.account, key], number)
        return family

    def _histogram(self, name: str, text: str, of: Callable[[Sample], Histogram | None]) -> Metric:
        family = HistogramMetricFamily(PREFIX + name, text, labels=["account"])
        for one in self._samples:
            found = of(one)
            if found is not None:
                family.add_metric([one.account], found.buckets(), found.total)
        return family


def _alone(name: str, text: str, of: Histogram) -> Metric:
    family = HistogramMetricFamily(PREFIX + name, text)
    family.add_metric([], of.buckets(), of.total)
    return family


def _kinds(one: Sample) -> dict[str, float]:
    tally = one.decided
    return {"assigned": tally.assigned, "fallback": tally.fallback, "preassigned": tally.preassigned}
