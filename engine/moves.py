# ruff: noqa: PLR0917 - kernels take positional arguments
"""Descent: a job goes to a better place (relocate), two jobs change places (swap), two routes trade ends (2-opt*)."""

from __future__ import annotations

import numpy as np

from engine._jit import kernel
from engine.fit import best_position
from engine.route import EPS, place_after, place_before, travel_from
from engine.sphere import metres
from engine.state import State
from engine.trial import (
    FULL,
    LOGGED,
    Batch,
    Flags,
    Play,
    allows,
    begin,
    best_place,
    fits_last,
    free_job,
    gained,
    keep,
    lawful,
    note,
    position_of,
    put,
    restore,
    take_away,
)

MORE, NO_ROOM, DONE = 0, 1, 2


@kernel
def descend(state: State, play: Play, batch: Batch, look: Flags, at: int, most: int) -> tuple[int, int]:
    """Try the moves of the jobs that are still to be looked at, from `at` on in a ring, `most` of them at the most.

    Returns:
        MORE, NO_ROOM (grow the pool of stops) or DONE (a whole round found nothing), and where to go on.
    """
    size = len(look)
    idle = 0
    while most > 0:
        if idle >= size:
            return DONE, at
        j = at
        if not look[j] or play.where[j] < 0:
            at = (at + 1) % size
            idle += 1
            continue
        most -= 1
        if relocate(state, play, batch, j) or swap(state, play, batch, j) or cross(state, play, batch, j):
            for k in range(play.tally[LOGGED]):
                slot = state.slots[play.logged[k]]
                for p in range(slot.n):
                    other = free_job(state, play, batch, play.logged[k], p)
                    if other >= 0:
                        look[other] = True
            idle = 0
            continue
        if play.tally[FULL]:
            play.tally[FULL] = 0
            return NO_ROOM, at
        look[j] = False
        idle += 1
        at = (at + 1) % size
    return MORE, at


@kernel
def relocate(state: State, play: Play, batch: Batch, j: int) -> bool:
    """Move a job to the place that adds least."""
    begin(play)
    if not take_away(state, play, batch, j):
        return False
    if gained(state, play) > EPS:
        s, position = best_place(state, play, batch, j)
        if s >= 0 and put(state, play, batch, s, position, j) and better(state, play):
            keep(play)
            return True
    restore(state, play, batch)
    return False


@kernel
def better(state: State, play: Play) -> bool:
    """The trial saves travel and keeps the rules."""
    return bool(gained(state, play) > EPS and lawful(state, play))


@kernel
def way_through(state: State, s: int, p: int, lat: float, lng: float, cos: float) -> float:
    """Seconds from the place before position `p` through a place to the next one behind `p` (else the route's end)."""
    slots, stops = state.slots, state.stops
    slot = slots[s]
    way = travel_from(slots, stops, s, place_before(slots, stops, s, p), lat, lng, cos)
    after = place_after(slots, stops, s, p + 1)
    if after >= 0:
        way += metres(lat, lng, cos, stops[after].lat, stops[after].lng, stops[after].cos) * slot.per_m
    elif slot.ended:
        way += metres(lat, lng, cos, slot.elat, slot.elng, slot.ecos) * slot.per_m
    return way


@kernel
def way_now(state: State, s: int, p: int) -> float:
    """The two legs at position `p`."""
    slot = state.slots[s]
    after = place_after(state.slots, state.stops, s, p + 1)
    return float(state.stops[slot.offset + p].leg + (state.stops[after].leg if after >= 0 else slot.end_leg))


@kernel
def swap(state: State, play: Play, batch: Batch, j: int) -> bool:
    """Two jobs of different routes change places; each may take another position in its new route."""
    a = play.where[j]
    p = position_of(state, a, batch.first + j)
    now = way_now(state, a, p)
    one = batch.jobs[j]
    for k in range(play.near.shape[1]):
        i = play.near[j, k]
        if i < 0:
            break
        b = play.where[i]
        if b < 0 or b == a:
            continue
        q = position_of(state, b, batch.first + i)
        two = batch.jobs[i]
        saved = now + way_now(state, b, q)
        saved -= way_through(state, a, p, two.lat, two.lng, two.cos) + way_through(
            state, b, q, one.lat, one.lng, one.cos
        )
        if saved <= EPS:
            continue
        begin(play)
        if not note(state, play, a) or not note(state, play, b):
            continue
        take_away(state, play, batch, j)
        take_away(state, play, batch, i)
        if (
            allows(state, batch, a, i)
            and allows(state, batch, b, j)
            and enter_best(state, play, batch, a, i)
            and enter_best(state, play, batch, b, j)
            and better(state, play)
        ):
            keep(play)
            return True
        restore(state, play, batch)
        if play.tally[FULL]:
            return False
    return False


@kernel
def enter_best(state: State, play: Play, batch: Batch, s: int, j: int) -> bool:
    """A job enters a slot's day where it adds least."""
    position = best_position(state, s, batch.jobs, j, np.inf)[0]
    return bool(position >= 0 and put(state, play, batch, s, position, j))


@kernel
def free_from(state: State, play: Play, batch: Batch, s: int, position: int) -> bool:
    """All stops from a position on may move."""
    p = position
    while p < state.slots[s].n and free_job(state, play, batch, s, p) >= 0:
        p += 1
    return bool(p == state.slots[s].n)


@kernel
def cross(state: State, play: Play, batch: Batch, j: int) -> bool:
    """The route of `j` goes on with the end of a neighbour's route, and that one with what came behind `j`."""
    a = play.where[j]
    one, slots, stops = state.slots[a], state.slots, state.stops
    p = position_of(state, a, batch.first + j)
    if not free_from(state, play, batch, a, p + 1):
        return False
    here = stops[one.offset + p]
    tail = p + 1 < one.n
    for k in range(play.near.shape[1]):
        i = play.near[j, k]
        if i < 0:
            break
        b = play.where[i]
        if b < 0 or b == a:
            continue
        two = slots[b]
        if one.per_m != two.per_m:
            continue
        q = position_of(state, b, batch.first + i)
        there = stops[two.offset + q]
        link = metres(here.lat, here.lng, here.cos, there.lat, there.lng, there.cos) * one.per_m
        if here.leave + link > there.latest + EPS:
            continue
        before = place_before(slots, stops, b, q)
        saved = there.leg + one.end_leg + two.end_leg - link
        last = stops[two.offset + two.n - 1]
        if one.ended:
            saved -= metres(last.lat, last.lng, last.cos, one.elat, one.elng, one.ecos) * one.per_m
        if tail:
            behind, end = stops[one.offset + p + 1], stops[one.offset + one.n - 1]
            saved += behind.leg - travel_from(slots, stops, b, before, behind.lat, behind.lng, behind.cos)
            if two.ended:
                saved -= metres(end.lat, end.lng, end.cos, two.elat, two.elng, two.ecos) * one.per_m
        elif two.ended:
            saved -= travel_from(slots, stops, b, before, two.elat, two.elng, two.ecos)
        if saved <= EPS or not free_from(state, play, batch, b, q):
            continue
        begin(play)
        if not note(state, play, a) or not note(state, play, b):
            continue
        if trade_ends(state, play, batch, a, p + 1, b, q) and better(state, play):
            keep(play)
            return True
        restore(state, play, batch)
        if play.tally[FULL]:
            return False
    return False


@kernel
def trade_ends(state: State, play: Play, batch: Batch, a: int, p: int, b: int, q: int) -> bool:
    """Slot `a` from position `p` on and slot `b` from `q` on change hands; False when one of the jobs does not fit."""
    first, second = 0, 0
    for position in range(p, state.slots[a].n):
        play.out[first] = free_job(state, play, batch, a, position)
        first += 1
    for position in range(q, state.slots[b].n):
        play.out[first + second] = free_job(state, play, batch, b, position)
        second += 1
    for k in range(first + second - 1, -1, -1):
        take_away(state, play, batch, play.out[k])
    for k in range(first + second):
        s = b if k < first else a
        if not fits_last(state, batch, s, play.out[k]) or not put(state, play, batch, s, state.slots[s].n, play.out[k]):
            return False
    return True
