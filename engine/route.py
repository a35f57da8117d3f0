# ruff: noqa: PLR0917 - kernels take positional arguments
# mypy: disable-error-code="no-any-return, arg-type"
"""The day route of a slot: times forward, latest starts backward, loads; stops in and out.

For every stop the route keeps the earliest start and the *latest* start at which everything behind it is still as good
as it stands (a late stop may not get later, an early one not late, the day not longer than the shift or than it is). So
a new job at a position is tested with the two legs beside it and one comparison.
"""

from __future__ import annotations

import numpy as np

from engine._jit import inlined, kernel
from engine.sphere import metres
from engine.state import FREE, TOP, Records, State

EPS = 1e-6


@inlined
def place_before(slots: Records, stops: Records, s: int, position: int) -> int:
    """Index in the pool of the last stop with a place before a position; -1 for the reference position."""
    if position == 0:
        return -1
    carry = stops[slots[s].offset + position - 1].carry
    return slots[s].offset + carry if carry >= 0 else -1


@inlined
def place_after(slots: Records, stops: Records, s: int, position: int) -> int:
    """Index in the pool of the first stop with a place at or behind a position; -1 when there is none."""
    slot = slots[s]
    for i in range(slot.offset + position, slot.offset + slot.n):
        if stops[i].placed:
            return i
    return -1


@inlined
def travel_from(slots: Records, stops: Records, s: int, i: int, lat: float, lng: float, cos: float) -> float:
    """Seconds from stop `i` (-1: the reference position, 0 s when there is none) to a place."""
    slot = slots[s]
    if i >= 0:
        return metres(stops[i].lat, stops[i].lng, stops[i].cos, lat, lng, cos) * slot.per_m
    if slot.placed:
        return metres(slot.lat, slot.lng, slot.cos, lat, lng, cos) * slot.per_m
    return 0.0


@kernel
def travel_to_end(slots: Records, stops: Records, s: int) -> float:
    """Seconds from the last place of the day to the route's end, 0 without one."""
    slot = slots[s]
    if not slot.ended:
        return 0.0
    return travel_from(slots, stops, s, place_before(slots, stops, s, slot.n), slot.elat, slot.elng, slot.ecos)


@kernel
def measure(slots: Records, stops: Records, s: int, first: int, legs: int) -> None:
    """Work out the first `legs` legs from position `first` on (the way to the route's end is the last one)."""
    slot = slots[s]
    offset = slot.offset
    carry = stops[offset + first - 1].carry if first > 0 else -1
    for p in range(first, slot.n):
        i = offset + p
        if not stops[i].placed:
            stops[i].leg = 0.0
        else:
            if legs > 0:
                before = offset + carry if carry >= 0 else -1
                stops[i].leg = travel_from(slots, stops, s, before, stops[i].lat, stops[i].lng, stops[i].cos)
                legs -= 1
            carry = p
        stops[i].carry = carry
    if legs > 0:
        slot.end_leg = travel_to_end(slots, stops, s)


@kernel
def retime(slots: Records, stops: Records, s: int) -> None:
    """Times, latest starts, loads and the floor of a slot from its legs."""
    slot = slots[s]
    offset, n = slot.offset, slot.n
    clock = slot.start
    load = 0.0
    floor = 0
    for i in range(offset, offset + n):
        start = max(clock + stops[i].leg, stops[i].opens)
        clock = start + stops[i].on_site
        stops[i].start = start
        stops[i].leave = clock
        load += stops[i].drop
        if stops[i].under_way:
            floor = i - offset + 1
    slot.floor = floor
    slot.end = clock + slot.end_leg
    slot.load0 = load
    most = load
    for i in range(offset, offset + n):
        stops[i].load_before = most
        load += stops[i].pick - stops[i].drop
        most = max(most, load)
    slot.load1 = load
    slot.load_max = most
    latest = max(slot.shift_end, slot.end) - slot.end_leg
    behind = load
    for i in range(offset + n - 1, offset - 1, -1):
        stops[i].load_after = behind
        load += stops[i].drop - stops[i].pick
        behind = max(behind, load)
        stops[i].latest = min(max(stops[i].closes, stops[i].start), latest - stops[i].on_site)
        latest = stops[i].latest - stops[i].leg


@kernel
def rebuild(slots: Records, stops: Records, s: int) -> None:
    """Everything of a slot anew."""
    measure(slots, stops, s, 0, slots[s].n + 1)
    retime(slots, stops, s)


@kernel
def reserve(state: State, s: int) -> bool:
    """Make room for one more stop in a slot's segment; False when the pool has none (grow it, then ask again)."""
    slot = state.slots[s]
    stops, heap = state.stops, state.heap
    if slot.size > 0 and slot.n < 2 << slot.size:
        return True
    size = slot.size + 1
    offset = heap[FREE + size]
    if offset >= 0:
        heap[FREE + size] = stops[offset].handle
    else:
        offset = heap[TOP]
        if offset + (2 << size) > len(stops):
            return False
        heap[TOP] = offset + (2 << size)
    for i in range(slot.n):
        stops[offset + i] = stops[slot.offset + i]
    if slot.size > 0:
        stops[slot.offset].handle = heap[FREE + slot.size]
        heap[FREE + slot.size] = slot.offset
    slot.offset = offset
    slot.size = size
    return True


@kernel
def insert(state: State, s: int, position: int, jobs: Records, j: int) -> None:
    """Put a job into a slot that has room (`reserve`), and bring the slot up to date."""
    slots, stops = state.slots, state.stops
    slot = slots[s]
    for i in range(slot.offset + slot.n, slot.offset + position, -1):
        stops[i] = stops[i - 1]
    job, stop = jobs[j], stops[slot.offset + position]
    stop.x, stop.y, stop.z = job.x, job.y, job.z
    stop.lat, stop.lng, stop.cos = job.lat, job.lng, job.cos
    stop.opens, stop.closes, stop.on_site = job.opens, job.closes, job.on_site
    stop.drop, stop.pick = job.drop, job.pick
    stop.number, stop.scheduled, stop.created = job.number, job.scheduled, job.created
    stop.handle, stop.placed, stop.under_way = job.handle, job.placed, job.under_way
    slot.n += 1
    measure(slots, stops, s, position, 2)
    retime(slots, stops, s)


@kernel
def remove(state: State, s: int, handle: int) -> int:
    """Take a stop out of a slot; returns its position, -1 when it is not there."""
    slots, stops = state.slots, state.stops
    slot = slots[s]
    for p in range(slot.n):
        if stops[slot.offset + p].handle == handle:
            for i in range(slot.offset + p, slot.offset + slot.n - 1):
                stops[i] = stops[i + 1]
            slot.n -= 1
            measure(slots, stops, s, p, 1)
            retime(slots, stops, s)
            return p
    return -1


@kernel
def sorted_position(state: State, s: int, jobs: Records, j: int, behind_floor: bool) -> int:
    """Where a job goes by the order of stops: behind the last that does not sort after it (and the one under way)."""
    slot, job = state.slots[s], jobs[j]
    stops = state.stops
    floor = slot.floor if behind_floor else 0
    for p in range(slot.n - 1, floor - 1, -1):
        stop = stops[slot.offset + p]
        if stop.number != job.number:
            after = stop.number > job.number
        elif stop.scheduled != job.scheduled:
            after = stop.scheduled > job.scheduled
        else:
            after = stop.created > job.created
        if not after:
            return p + 1
    return floor


@kernel
def figures(slots: Records, stops: Records, s: int, handle: int) -> tuple[int, float, float, float]:
    """Position, start, added travel (s) and distance from the reference (m, NaN: none) of a stop as it stands."""
    slot = slots[s]
    for p in range(slot.n):
        i = slot.offset + p
        if stops[i].handle != handle:
            continue
        if not stops[i].placed:
            return p, stops[i].start, 0.0, np.nan
        before, after = place_before(slots, stops, s, p), place_after(slots, stops, s, p + 1)
        added = stops[i].leg
        if after >= 0:
            added += stops[after].leg
            added -= travel_from(slots, stops, s, before, stops[after].lat, stops[after].lng, stops[after].cos)
        elif slot.ended:
            added += slot.end_leg - travel_from(slots, stops, s, before, slot.elat, slot.elng, slot.ecos)
        distance = np.nan
        if slot.placed:
            distance = metres(slot.lat, slot.lng, slot.cos, stops[i].lat, stops[i].lng, stops[i].cos)
        return p, stops[i].start, added, distance
    return -1, np.nan, np.nan, np.nan
