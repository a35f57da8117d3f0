"""What can go wrong on purpose: kinds of faults, how often each, and which request gets which.

Deciding is pure: request number n with the same seed and text always draws the same fault.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FAULTS: dict[str, str] = {
    "429": "nothing done, 429 without Retry-After",
    "429-retry-after": "nothing done, 429 with Retry-After",
    "500-before": "nothing done, 500",
    "500-after": "done, then 500",
    "503": "nothing done, 503",
    "close-before": "nothing done, connection closed without a reply",
    "close-after": "done, connection closed without a reply",
    "slow": "done at once, the reply comes late",
    "slow-before": "done late, even when the client has gone by then",
    "truncate": "done, the reply ends in the middle",
    "html": "done, an HTML page with status 200",
    "status": "nothing done, HTTP 200 with a status other than 0",
    "fewer": "done, some jobs are missing in the reply",
    "shuffle": "done, the jobs of the reply come in another order",
}
"""Kind and meaning. `done` says whether the request took effect."""

NO_FAULT = "none"
"""In a script of faults: this request goes through."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One drawn fault.

    Attributes:
        kind: a key of `FAULTS`.
        rng: for what is left to chance in carrying it out; seeded by the request's number.
    """

    kind: str
    rng: random.Random


def parse_faults(text: str) -> dict[str, float]:
    """Shares by kind, such as `"429:0.05, slow:0.02"`.

    `"all:0.3"` spreads its share evenly over every kind not named beside it: `"all:0.3, slow:0"` leaves `slow` out.

    Raises:
        ValueError: an unknown kind, a share that is no number from 0 to 1, a kind named twice, shares above 1 in total.
    """
    shares: dict[str, float] = {}
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        kind, colon, share_text = (piece.strip() for piece in part.rpartition(":"))
        if not colon:
            raise ValueError(f'faults: "{part}" must be KIND:SHARE, such as 429:0.05')
        if kind != "all" and kind not in FAULTS:
            raise ValueError(f'faults: unknown kind in "{part}" (known: all, {", ".join(FAULTS)})')
        try:
            share = float(share_text)
        except ValueError:
            share = -1.0
        if not 0.0 <= share <= 1.0:
            raise ValueError(f'faults: the share in "{part}" must be a number from 0 to 1')
        if kind in shares:
            raise ValueError(f'faults: "{part}" names {kind} a second time')
        shares[kind] = share
    if "all" in shares:
        spread = shares.pop("all")
        others = [kind for kind in FAULTS if kind not in shares]
        shares |= {kind: spread / len(others) for kind in others}
    if sum(shares.values()) > 1.0 + 1e-9:
        raise ValueError(f'faults: the shares in "{text}" add up to more than 1')
    return {kind: share for kind, share in shares.items() if share > 0.0}


class FaultPlan:
    """Draws a fault, or none, for each request on the paths it is for.

    Attributes:
        text: the shares as they were given.
        on: paths whose requests are counted and may get a fault.
        drawn: how often each kind came up.
    """

    def __init__(self, text: str = "", *, seed: int = 0, on: Sequence[str] = ("/api/createjobs",)) -> None:
        self.text = text
        self.seed = seed
        self.on = frozenset(on)
        self.drawn: Counter[str] = Counter()
        self._shares = parse_faults(text)
        self._script: deque[str] = deque()
        self._number = 0

    def script(self, kinds: Iterable[str]) -> None:
        """Lay down the faults of the next requests, one kind each, ahead of the shares; `"none"` lets one through.

        Raises:
            ValueError: a kind that does not exist.
        """
        kinds = list(kinds)
        for kind in kinds:
            if kind not in FAULTS and kind != NO_FAULT:
                raise ValueError(f'faults: unknown kind "{kind}" (known: {NO_FAULT}, {", ".join(FAULTS)})')
        self._script.extend(kinds)

    def draw(self, path: str) -> Fault | None:
        """The fault of the next request on this path, None for most."""
        if path not in self.on:
            return None
        number = self._number
        self._number += 1
        if not self._shares and not self._script:
            return None
        rng = random.Random(f"{self.seed}/{number}")
        kind = self._script.popleft() if self._script else self._by_share(rng.random())
        if kind == NO_FAULT:
            return None
        self.drawn[kind] += 1
        return Fault(kind, rng)

    def _by_share(self, luck: float) -> str:
        for kind, share in self._shares.items():
            luck -= share
            if luck < 0.0:
                return kind
        return NO_FAULT
