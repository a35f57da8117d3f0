# ruff: noqa: PLR0917 - kernels take positional arguments
# mypy: disable-error-code="no-any-return, arg-type"
"""Does a job fit a slot's day, where best, and if not, why not: the exact test at the end of every search."""

from __future__ import annotations

import numpy as np

from engine._jit import inlined, kernel
from engine.route import EPS, place_before, travel_from
from engine.sphere import metres
from engine.state import Records, State, Words

PAST_DAY, NOT_ELIGIBLE, TEAM_MISMATCH, MISSING_SKILL, EXCLUDED, NO_LOCATION, OFF_SHIFT = range(7)
OVER_DISTANCE, AT_JOB_CAP, WINDOW_UNREACHABLE, SHIFT_TOO_SHORT, OVER_CAPACITY, ROUTE_FULL = range(7, 13)
REASONS = 13
"""Number of codes, in the order of `engine.decision.MEMBER_REASONS`."""


@inlined
def load_fits(slots: Records, stops: Records, s: int, position: int, drop: float, pick: float) -> bool:
    """The load stays within the capacity with the job at this position; drop-offs ride before it, pick-ups behind."""
    slot = slots[s]
    if slot.capacity <= 0 or (drop == 0 and pick == 0):
        return True
    before = stops[slot.offset + position].load_before if position < slot.n else slot.load_max
    after = stops[slot.offset + position - 1].load_after if position > 0 else slot.load_max
    return slot.load_max <= slot.capacity and before + drop <= slot.capacity and after + pick <= slot.capacity


@inlined
def try_position(
    slots: Records, stops: Records, s: int, position: int, jobs: Records, j: int, there: float, on: float
) -> tuple[float, float]:
    """Added travel and start (seconds) of a job at a position, inf when it does not fit there in time.

    `there` is the travel from the place before, `on` the travel to the next stop with a place (else to the route's end,
    else 0).
    """
    slot, job = slots[s], jobs[j]
    offset, n = slot.offset, slot.n
    clock = stops[offset + position - 1].leave if position > 0 else slot.start
    start = max(clock + there, job.opens)
    if start > job.closes + EPS:
        return np.inf, 0.0
    clock = start + job.on_site
    p = position
    while p < n and not stops[offset + p].placed:
        stop = stops[offset + p]
        clock = max(clock, stop.opens)
        if clock > max(stop.closes, stop.start) + EPS:
            return np.inf, 0.0
        clock += stop.on_site
        p += 1
    if p < n:
        if clock + on > stops[offset + p].latest + EPS:
            return np.inf, 0.0
        return there + on - stops[offset + p].leg, start
    if clock + on > max(slot.shift_end, slot.end) + EPS:
        return np.inf, 0.0
    return there + on - slot.end_leg, start


@inlined
def too_tight(slots: Records, stops: Records, s: int, position: int, jobs: Records, j: int) -> bool:
    """Even without any travel the job would end too late for what comes behind this position."""
    slot, job = slots[s], jobs[j]
    clock = stops[slot.offset + position - 1].leave if position > 0 else slot.start
    limit = max(slot.shift_end, slot.end)
    if position < slot.n:
        stop = stops[slot.offset + position]
        limit = stop.latest if stop.placed else np.inf
    return bool(max(clock, job.opens) + job.on_site > limit + EPS)


@inlined
def travel_on(slots: Records, stops: Records, s: int, position: int, jobs: Records, j: int) -> float:
    """Seconds from the job to the first stop with a place at or behind a position, else to the route's end, else 0."""
    slot, job = slots[s], jobs[j]
    for i in range(slot.offset + position, slot.offset + slot.n):
        if stops[i].placed:
            return metres(job.lat, job.lng, job.cos, stops[i].lat, stops[i].lng, stops[i].cos) * slot.per_m
    if slot.ended:
        return metres(job.lat, job.lng, job.cos, slot.elat, slot.elng, slot.ecos) * slot.per_m
    return 0.0


@inlined
def best_position(state: State, s: int, jobs: Records, j: int, limit: float) -> tuple[int, float, float]:
    """`fit_in` on the state."""
    return fit_in(state.slots, state.stops, s, jobs, j, limit)


@kernel
def fit_in(slots: Records, stops: Records, s: int, jobs: Records, j: int, limit: float) -> tuple[int, float, float]:
    """Where the job fits with the least added travel (on a tie: the day ends earlier, then the earlier position).

    Positions that add more than `limit` (seconds) need not be looked at.

    Returns:
        Position (-1: nowhere), added travel and start, seconds.
    """
    slot, job = slots[s], jobs[j]
    offset, n = slot.offset, slot.n
    least = np.inf
    found, begin, ties = -1, 0.0, 0
    known, there = -1, 0.0
    for position in range(slot.floor, n + 1):
        if position > 0 and stops[offset + position - 1].leave > job.closes + EPS:
            break
        if too_tight(slots, stops, s, position, jobs, j):
            continue
        if not load_fits(slots, stops, s, position, job.drop, job.pick):
            continue
        if known != position:
            before = place_before(slots, stops, s, position)
            there = travel_from(slots, stops, s, before, job.lat, job.lng, job.cos)
        on = travel_on(slots, stops, s, position, jobs, j)
        added, start = try_position(slots, stops, s, position, jobs, j, there, on)
        if added < least + EPS:
            ties = ties + 1 if added > least - EPS else 1
        if added < least:
            least, found, begin = added, position, start
        if position < n and stops[offset + position].placed:
            known, there = position + 1, on
    if least > limit + EPS:
        return -1, np.inf, 0.0
    if ties > 1:
        return untie(slots, stops, s, jobs, j, least)
    return found, least, begin


@kernel
def untie(slots: Records, stops: Records, s: int, jobs: Records, j: int, least: float) -> tuple[int, float, float]:
    """Of the positions that add the least: the one that ends the day earliest, then the first."""
    slot = slots[s]
    job = jobs[j]
    earliest = np.inf
    for step in range(2):
        for position in range(slot.floor, slot.n + 1):
            if not load_fits(slots, stops, s, position, job.drop, job.pick):
                continue
            before = place_before(slots, stops, s, position)
            there = travel_from(slots, stops, s, before, job.lat, job.lng, job.cos)
            on = travel_on(slots, stops, s, position, jobs, j)
            added, start = try_position(slots, stops, s, position, jobs, j, there, on)
            if added <= least + EPS:
                end = day_end(slots, stops, s, position, jobs, j, start, on)
                if step == 0:
                    earliest = min(earliest, end)
                elif end <= earliest + EPS:
                    return position, added, start
    return -1, np.inf, 0.0


@kernel
def day_end(
    slots: Records, stops: Records, s: int, position: int, jobs: Records, j: int, start: float, on: float
) -> float:
    """When the day would end with the job at a position where it starts at `start` and goes on for `on` seconds."""
    slot = slots[s]
    clock = start + jobs[j].on_site
    away = True
    for i in range(slot.offset + position, slot.offset + slot.n):
        stop = stops[i]
        leg = stop.leg
        if away and stop.placed:
            leg, away = on, False
        clock = max(clock + leg, stop.opens) + stop.on_site
    return clock + on if away else clock + slot.end_leg


@inlined
def has_traits(traits: Words, member: int, needs: Words, begin: int, count: int) -> bool:
    """The member has all of the bits listed in `needs[begin:begin + count]`."""
    for k in range(begin, begin + count):
        bit = needs[k]
        if not (traits[member, bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
            return False
    return True


@inlined
def is_excluded(member: int, excluded: Words, begin: int, count: int) -> bool:
    """The job does not want this member."""
    for k in range(begin, begin + count):  # noqa: SIM110 - compiled
        if excluded[k] == np.uint64(member):
            return True
    return False


@kernel
def why_not(
    state: State, s: int, member: int, jobs: Records, j: int, needs: Words, excluded: Words, max_jobs: int, max_m: float
) -> int:
    """The first true code why a member cannot take a job on a slot's day, -1 when it can.

    The first of a job's `needs` is its team when `team` is 1.
    """
    slots, stops = state.slots, state.stops
    slot, job = slots[s], jobs[j]
    if slot.past:
        return PAST_DAY
    if not slot.eligible:
        return NOT_ELIGIBLE
    if job.team and not has_traits(state.traits, member, needs, job.need, 1):
        return TEAM_MISMATCH
    if not has_traits(state.traits, member, needs, job.need + job.team, job.needs - job.team):
        return MISSING_SKILL
    if is_excluded(member, excluded, job.excluded, job.excludes):
        return EXCLUDED
    if not slot.placed:
        return NO_LOCATION
    if not slot.on_shift:
        return OFF_SHIFT
    distance = metres(slot.lat, slot.lng, slot.cos, job.lat, job.lng, job.cos)
    if max_m > 0 and distance > max_m + EPS:
        return OVER_DISTANCE
    if max_jobs > 0 and slot.n >= max_jobs:
        return AT_JOB_CAP
    if best_position(state, s, jobs, j, np.inf)[0] >= 0:
        return -1
    start = max(slot.start + distance * slot.per_m, job.opens)
    if start > job.closes + EPS or job.opens >= slot.shift_end - EPS:
        return WINDOW_UNREACHABLE
    end = start + job.on_site
    if slot.ended:
        end += metres(job.lat, job.lng, job.cos, slot.elat, slot.elng, slot.ecos) * slot.per_m
    if end > slot.shift_end + EPS:
        return SHIFT_TOO_SHORT
    for position in range(slot.floor, slot.n + 1):
        if load_fits(slots, stops, s, position, job.drop, job.pick):
            return ROUTE_FULL
    return OVER_CAPACITY
