"""One process's side of limits that several processes share: when to ask for slots, how to use them, what to tell.

See "Across daemons" in docs/flow.md for why no window at the server ever holds more than its limit.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable

from dispatcher.flow.arrivals import LATE_CAP_S, late_cap_s
from dispatcher.flow.far_clock import FarClock
from dispatcher.flow.gcra import spacing
from dispatcher.flow.lateness import Lateness, Slot
from dispatcher.flow.limits import Limit
from dispatcher.model.slots import Late, SlotAnswer, SlotAsk, SlotWindow

AHEAD_S = 0.2
"""Slots are taken no more than that ahead, so that few are out that nobody has used yet,"""
AHEAD_SHARE = 0.2
"""and no more than that share of the shortest window."""
LEAD_SHARE = 0.5
"""Of that time: the most that is left to a request between its start and the wire."""
UNASKED_S = 0.25
"""A request may go that late without asking, if it is no later than the jitter: long windows have seconds of it."""
SPREAD = (0.6, 1.0)
"""When to ask for the next slot, as shares of that time before it: whoever asks first gets it, so all draw, and
nobody's draw is better for having a longer way to the wire."""
LEAST_WAIT_S = 0.005
"""Between two questions that were answered with no slot."""
MOST_AT_ONCE = 32
USES = 64
"""The last uses, by which their rate is told."""
GAIN = 0.1
"""Weight of the newest value in averages."""


class SharedSlots:
    """The slots in hand, and what comes next.

    Args:
        limits: the account's.
        rng: draws when to ask.

    Attributes:
        lead_s: usual time from the start of a request to the wire (s).
    """

    def __init__(self, limits: Iterable[Limit], rng: random.Random) -> None:
        self._rng = rng
        self._clock = FarClock()
        self._in_hand: deque[Slot] = deque()
        self._lateness = Lateness(())
        self._ask_at = float("-inf")
        self._asking_takes_s = 0.0
        self._used_at: deque[float] = deque(maxlen=USES)
        self._put_off: dict[int, tuple[Slot, float]] = {}
        self._asked_for: dict[int, tuple[Slot, float]] = {}
        self.lead_s = 0.0
        self.change(limits)

    def change(self, limits: Iterable[Limit]) -> None:
        """Keep other limits from now on. Slots in hand are let go: they were given under the ones before."""
        self._limits = tuple(limits)
        self._windows = tuple(SlotWindow(limit.window_s, limit.count, *spacing(limit)[:2]) for limit in self._limits)
        self._lateness.change(self._limits)
        self._in_hand.clear()
        self._ahead_s = min((AHEAD_SHARE * window.window_s for window in self._windows), default=AHEAD_S)
        self._ahead_s = min(self._ahead_s, AHEAD_S)
        self._ask_at = float("-inf")

    # -- asking -------------------------------------------------------------------------------------------------------

    def question(self, now: float, *, take: bool = True, blocked_s: float = 0.0) -> SlotAsk:
        """What to ask and tell now.

        Args:
            now: monotonic time.
            take: slots are wanted; otherwise there is only something to tell.
            blocked_s: the server asked for a pause that lasts so long still (s).
        """
        self._asked_for, self._put_off = self._put_off, {}
        lead_s = min(self.lead_s + self._asking_takes_s, LEAD_SHARE * self._ahead_s)
        return SlotAsk(
            windows=self._windows,
            want=self._wanted(now) if take else 0,
            lead_s=lead_s if self._windows else 0.0,
            ahead_s=self._ahead_s,
            late=(*self._lateness.untold(now), *self._delays(now)),
            blocked_s=blocked_s,
            round_trip_s=self._lateness.round_trip_s,
        )

    def answer(self, question: SlotAsk, answer: SlotAnswer, *, asked: float, heard: float) -> None:
        """The answer to a question (monotonic times of both)."""
        self._asking_takes_s += GAIN * (heard - asked - self._asking_takes_s)
        self._lateness.others(answer.round_trip_s)
        self._clock.learn(asked=asked, heard=heard, far=answer.clock)
        self._lateness.heard(question.late, asked, (slot for slot, _ in self._asked_for.values()))
        for number, in_s in enumerate(answer.slots, answer.first):
            moment, opens = self._clock.bounds(answer.clock + in_s)
            self._in_hand.append(Slot(number, opens, moment, closes=moment + min(self._lateness.jitter_s, UNASKED_S)))
        if question.want:
            early_s = self._ahead_s * self._rng.uniform(*SPREAD)
            moment, _ = self._clock.bounds(answer.clock + answer.wait_s)
            self._ask_at = max(moment - early_s, heard + max(answer.blocked_s, LEAST_WAIT_S))
        for slot, until in self._asked_for.values():
            # those who would stand in one window with too many have no slot yet, and will be given a later one
            if not answer.reserved and all(answer.given <= slot.number + window.count for window in self._windows):
                slot.closes = max(slot.closes, until)

    def _wanted(self, now: float) -> int:
        """One, and as many as are used while a few questions are answered."""
        recent = [at for at in self._used_at if at > now - 1.0]
        per_s = len(recent) / (now - recent[0]) if len(recent) == USES else len(recent)
        return min(1 + round(4 * per_s * self._asking_takes_s), MOST_AT_ONCE)

    # -- using --------------------------------------------------------------------------------------------------------

    def wait(self, now: float) -> float:
        """Seconds until the next slot is to be used, or until it is time to ask for one; 0.0: now."""
        slot = self._next(now)
        return max(0.0, (self._ask_at if slot is None else slot.opens - self.lead_s) - now)

    def has(self, now: float) -> bool:
        """Whether a slot is in hand."""
        return self._next(now) is not None

    def take(self, now: float) -> Slot:
        """The slot in hand, for a request that begins now.

        Raises:
            RuntimeError: there is none.
        """
        slot = self._next(now)
        if slot is None:
            raise RuntimeError("a request was begun without a slot")
        self._in_hand.popleft()
        self._used_at.append(now)
        return slot

    def _next(self, now: float) -> Slot | None:
        while self._in_hand and not self._worth(self._in_hand[0], now + self.lead_s):
            self._in_hand.popleft()
        return self._in_hand[0] if self._in_hand else None

    # -- at the wire --------------------------------------------------------------------------------------------------

    def at_the_wire(self, started: float, now: float) -> None:
        """A request that began then is ready to go; how long that took is the lead of the next."""
        took_s = now - started
        self.lead_s = min(max(took_s, self.lead_s + GAIN * (took_s - self.lead_s)), LEAD_SHARE * self._ahead_s)

    def delay(self, slot: Slot, now: float) -> float | None:
        """Seconds until its request may go onto the wire, 0.0: now; None: it is too late for that."""
        if now > slot.closes:
            return None
        return max(0.0, slot.opens - now)

    def put_off(self, slot: Slot, now: float) -> bool:
        """Have the next question ask whether a slot may be used a little later; False: that is not worth it."""
        until = now + LEAD_SHARE * self._ahead_s + 2 * self._asking_takes_s
        worth = self._worth(slot, until)
        if worth:
            self._put_off[slot.number] = (slot, until)
        return worth

    def _worth(self, slot: Slot, until: float) -> bool:
        """Whether using it so late holds others up less than letting it go."""
        return until <= slot.closes or all(
            until - slot.moment <= max(late_cap_s(window.window_s), min(window.interval_s, LATE_CAP_S))
            for window in self._windows
        )

    def _delays(self, now: float) -> Iterable[Late]:
        for slot, until in self._asked_for.values():
            for place, limit in enumerate(self._limits):
                if until - slot.moment > spacing(limit).jitter_s:
                    yield Late(place, slot.number, until - now)

    def sent(self, slot: Slot, now: float) -> None:
        """Its request goes onto the wire now."""
        self._lateness.sent(slot, now)

    def answered(self, slot: Slot, now: float) -> None:
        """Its request was answered, or given up."""
        self._lateness.answered(slot, now)

    def tell_at(self, now: float) -> float | None:
        """When there is something to tell that no question has told by then (s)."""
        return self._lateness.tell_at(now)
