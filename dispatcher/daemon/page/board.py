"""One account as the page shows it: sampled once a second, rendered once for all who look."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import orjson

from dispatcher.daemon.desk import Desk
from dispatcher.daemon.page.feed import Reader, event
from dispatcher.daemon.page.fleet_map import FleetMap
from dispatcher.daemon.page.flow import Flow
from dispatcher.daemon.page.history import History, Point, short
from dispatcher.model.state import State


class Board:
    """Shows one account.

    Args:
        desk: the account.
        rng: which jobs are sampled.
    """

    def __init__(self, desk: Desk, rng: random.Random) -> None:
        self.desk = desk
        self.readers: set[Reader] = set()
        self.map = FleetMap(desk.dispatcher)
        self._flow = Flow(desk.dispatcher, rng)
        self._history = History()
        self._point: Point | None = None

    @property
    def counts(self) -> Mapping[State, int]:
        """Rows per state, a second old at most."""
        return self._flow.counts

    def close(self) -> None:
        """Watch no longer, and end the streams."""
        self._flow.close()
        self.map.close()
        for reader in self.readers:
            reader.close()

    async def sample(self) -> None:
        """One more second."""
        tally = self.desk.tally
        self._point = await self._flow.point(accepted=tally.jobs, durable=(tally.requests, tally.seconds))
        self._history.add(self._point)
        self.map.tick(watched=bool(self.readers))

    def publish(self, around: Mapping[str, Any], leader: Mapping[str, Any] | None) -> None:
        """Tell the readers the last second; nobody there, nothing done."""
        if self.readers and self._point is not None:
            point = {name: short(getattr(self._point, name)) for name in Point.__struct_fields__}
            told = event("tick", orjson.dumps(self._document(around, leader) | {"point": point}))
            for reader in self.readers:
                reader.offer(told)

    def everything(self, around: Mapping[str, Any], leader: Mapping[str, Any] | None) -> bytes:
        """The event that tells all: what is now, and the last minutes."""
        return event("snapshot", orjson.dumps(self._document(around, leader) | {"history": self._history.columns()}))

    def line(self) -> dict[str, Any]:
        """The account in the table of all."""
        counts, rates = self.counts, self._flow.rates
        return {
            "name": self.desk.dispatcher.account,
            "base_url": self.desk.dispatcher.settings.base_url,
            "problem": self.desk.problem,
            "fleet": self.desk.dispatcher.pipeline.fleet.problem,
            "waiting": sum(count for state, count in counts.items() if not state.settled),
            "held": counts[State.HELD],
            "dead": counts[State.REJECTED] + counts[State.DEAD],
            "confirmed": counts[State.CONFIRMED],
            "accepted_per_s": short(rates["accepted"]),
            "confirmed_per_s": short(rates[State.CONFIRMED]),
        }

    def _document(self, around: Mapping[str, Any], leader: Mapping[str, Any] | None) -> dict[str, Any]:
        """The account as it is.

        Args:
            around: what is the same for all accounts: their lines, and the nodes.
            leader: the node that assigns for it, None when the spool is this process's alone.
        """
        dispatcher, flow = self.desk.dispatcher, self._flow
        pipeline, settings = dispatcher.pipeline, dispatcher.settings
        gate = pipeline.turnstile.gate.snapshot(pipeline.clock.monotonic())
        fleet = pipeline.fleet
        return {
            "account": dispatcher.account,
            **around,
            "leader": leader,
            "now": short(pipeline.clock.now()),
            "problem": self.desk.problem,
            "counts": {state.value: count for state, count in flow.counts.items()},
            "rates": {str(name): short(rate) for name, rate in flow.rates.items()},
            "gate": {
                "why": gate.why,
                "wait_s": short(gate.wait_s),
                "limits": gate.limits,
                "limit": gate.concurrency,
                "most": gate.max_concurrency,
                "in_flight": gate.in_flight,
                "blocked_s": short(gate.blocked_for_s),
                "breaker": gate.breaker,
                "outcomes": gate.outcomes,
            },
            "fleet": {
                "problem": fleet.problem,
                "age_s": short(fleet.age_s) if math.isfinite(fleet.age_s) else None,
                "policy": settings.policy,
                "fallback": settings.fallback,
                **self.map.summary,
            },
            "last_error": pipeline.turnstile.last_error,
        }
