"""What the sandbox saw: when requests came, how many at once, which keys were on the way at the same time."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable

MAX_ARRIVALS = 1_000_000
"""Arrival times kept per path; the older half goes when twice as many have gathered."""


class Traffic:
    """Counters over all requests since the start.

    Attributes:
        arrivals: monotonic seconds at which requests came, by path, in order; the newest `MAX_ARRIVALS` at least.
        requests: how many came, by path.
        outcomes: how many ended with which HTTP status, or as "closed" without a whole reply.
        in_flight: requests being answered right now.
        max_in_flight: most of them at any one time.
        overlaps: keys that came while an earlier request with them had not been answered yet.
        late_overlaps: keys that came while an earlier request with them, its client gone, had not taken effect yet.
    """

    def __init__(self) -> None:
        self.arrivals: dict[str, array[float]] = {}
        self.requests: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.in_flight = 0
        self.max_in_flight = 0
        self.overlaps = 0
        self.late_overlaps = 0
        self._flying = KeysInFlight()
        self._pending = KeysInFlight()

    def arrive(self, path: str, t: float) -> None:
        """A request came."""
        self.requests[path] += 1
        times = self.arrivals.setdefault(path, array("d"))
        times.append(t)
        if len(times) >= 2 * MAX_ARRIVALS:
            del times[:MAX_ARRIVALS]

    def enter(self) -> None:
        """Work on a request begins."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self, outcome: str) -> None:
        """Work on a request has ended."""
        self.in_flight -= 1
        self.outcomes[outcome] += 1

    def take_off(self, keys: Iterable[str]) -> frozenset[str]:
        """A request with these keys is on the way; give the result to `land` when it is answered or given up."""
        own = frozenset(keys)
        self.overlaps += self._flying.add(own)
        self.late_overlaps += self._pending.count(own)
        return own

    def land(self, keys: frozenset[str]) -> None:
        self._flying.remove(keys)

    def abandon(self, keys: frozenset[str]) -> None:
        """The client has gone, but the request will still take effect; `settle` says when it has."""
        self._pending.add(keys)

    def settle(self, keys: frozenset[str]) -> None:
        self._pending.remove(keys)


class KeysInFlight:
    """A multiset of keys that is fast as long as no key is in it twice."""

    def __init__(self) -> None:
        self._once: set[str] = set()
        self._more: Counter[str] = Counter()

    def add(self, keys: frozenset[str]) -> int:
        """Put the keys in; how many were in already."""
        again = keys & self._once
        self._once |= keys
        self._more.update(again)
        return len(again)

    def remove(self, keys: frozenset[str]) -> None:
        """Take the keys out, each once."""
        still = {key for key in keys if key in self._more} if self._more else set()
        for key in still:
            self._more[key] -= 1
            if not self._more[key]:
                del self._more[key]
        self._once -= keys - still

    def count(self, keys: frozenset[str]) -> int:
        """How many of the keys are in."""
        return len(keys & self._once) if self._once else 0
