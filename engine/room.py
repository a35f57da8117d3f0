"""What a slot could still take, and when: necessary conditions only, for the search to skip whoever cannot take a job.

For the gap between two stops let `e` be the end of the one, `l` the latest start of the other and `t` the leg between
them. Work of `o` seconds that starts at `s` in this gap needs `e <= s`, `s + o <= l`, and, since a detour is never
shorter than the leg, `e + t + o <= l`. So `min(l - e - t, l - max(e, b))` bounds the work that starts in the bucket of
the day from `b` on. The row of a slot is the maximum over its gaps, in whole seconds rounded up; the row of a node is
the maximum over its members.
"""

from __future__ import annotations

import math

import numpy as np

from engine._jit import inlined, kernel
from engine.state import ANY, BUCKET_S, COLUMNS, LAST_BUCKET, MOST_ROOM, State


@inlined
def bucket(clock: float) -> int:
    """The bucket of a time of day."""
    return int(min(max(clock, 0.0) / BUCKET_S, LAST_BUCKET))


@kernel
def measure_room(state: State, s: int) -> None:
    """Bring the bounds of a slot (its row in `room`, box, longest leg, free time, earliest departure) up to date."""
    slot, stops, room = state.slots[s], state.stops, state.room
    for k in range(COLUMNS):
        room[s, k] = -1
    slot.free, slot.early, slot.leg_max = -1.0, np.inf, 0.0
    if not slot.open:
        return
    slot.x0, slot.y0, slot.z0 = slot.x, slot.y, slot.z
    slot.x1, slot.y1, slot.z1 = slot.x, slot.y, slot.z
    if slot.ended:
        widen(state, s, slot.ex, slot.ey, slot.ez)
        slot.leg_max = slot.end_leg
    offset, n = slot.offset, slot.n
    latest, leg = max(slot.shift_end, slot.end), slot.end_leg
    for p in range(n, -1, -1):
        if p < n:
            stop = stops[offset + p]
            if stop.placed:
                widen(state, s, stop.x, stop.y, stop.z)
                slot.leg_max = max(slot.leg_max, stop.leg)
                latest, leg = stop.latest, stop.leg
            else:
                # A job before it may shorten the way behind it, so its own latest start does not bind; without travel
                # it does.
                latest, leg = min(max(stop.closes, stop.start), latest - stop.on_site), 0.0
        if p < slot.floor:
            continue
        early = stops[offset + p - 1].leave if p > 0 else slot.start
        slot.early = early
        longest = latest - early
        slot.free = max(slot.free, longest)
        _note_gap(state, s, early, latest, longest - leg)


@inlined
def _note_gap(state: State, s: int, early: float, latest: float, most: float) -> None:
    room = state.room
    if most < -0.01:
        return
    for k in range(bucket(early), bucket(latest + 0.02) + 1):
        free = min(most, latest - max(early, float(k * BUCKET_S)))
        seconds = np.int16(max(math.ceil(min(free + 0.01, float(MOST_ROOM))), 0))
        room[s, k] = max(room[s, k], seconds)
        room[s, ANY] = max(room[s, ANY], seconds)


@inlined
def widen(state: State, s: int, x: float, y: float, z: float) -> None:
    """Make a slot's box hold a place."""
    slot = state.slots[s]
    slot.x0, slot.y0, slot.z0 = min(slot.x0, x), min(slot.y0, y), min(slot.z0, z)
    slot.x1, slot.y1, slot.z1 = max(slot.x1, x), max(slot.y1, y), max(slot.z1, z)
