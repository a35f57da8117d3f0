# ruff: noqa: PLR0917 - kernels take positional arguments
"""Changes that can be taken back: routes are noted before they are touched, changed by the rules, and kept or restored.

The routes themselves are right at every moment; the index is mended when the improvement ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine._jit import kernel
from engine.fit import best_position, load_fits, travel_on, try_position
from engine.route import EPS, insert, place_before, rebuild, remove, reserve, travel_from
from engine.scan import may_take
from engine.sphere import metres
from engine.state import STOP, TODAY, Ints, Records, State, Words

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

STAMP, LOGGED, STOPS, FULL, RANDOM, SEEN = range(6)
"""Places in `Play.tally`: number of the trial, slots noted, their stops, 1 when the pool was full, random state,
number of the last look for a place."""

MASK = 2**62 - 1

LOGGED_SLOTS = 64
LOGGED_STOPS = 8192


class Batch(NamedTuple):
    """The jobs of a batch as the kernels take them, and the limits.

    Attributes:
        jobs: JOB, (jobs,).
        rows: rows of all members' todays.
        needs, excluded: lists beside the jobs.
        first: handle of the first job; the others follow.
        max_jobs, max_m: caps, 0 for none.
    """

    jobs: Records
    rows: Ints
    needs: Words
    excluded: Words
    first: int
    max_jobs: int
    max_m: float


class Play(NamedTuple):
    """What an improvement may move, and the trial under way.

    Attributes:
        free: the job may move, (jobs,).
        where: slot that holds a free job, -1: nobody's, (jobs,).
        near: free jobs near each job, nearest first, -1 behind the last, (jobs, K).
        spare: idle slots near each job, -1 behind the last, (jobs, E).
        changed: the slot's route is not the one before the improvement any more, (slots,).
        mark: number of the last trial that noted the slot, (slots,).
        seen: number of the last look for a place that came by the slot, (slots,).
        tally: see STAMP and following.
        logged: slots noted in this trial, (LOGGED_SLOTS,).
        begins: first of their stops in `stops`, (LOGGED_SLOTS + 1,).
        before: their travel, seconds, (LOGGED_SLOTS,).
        ends: the ends of their days, (LOGGED_SLOTS,).
        stops: their stops, STOP, (LOGGED_STOPS,).
        out: scratch for the jobs taken out, (jobs,).
    """

    free: Flags
    where: Ints
    near: Ints
    spare: Ints
    changed: Flags
    mark: Ints
    seen: Ints
    tally: Ints
    logged: Ints
    begins: Ints
    before: Floats
    ends: Floats
    stops: Records
    out: Ints


def new_play(free: Flags, where: Ints, near: Ints, spare: Ints, slots: int, seed: int) -> Play:
    """Nothing tried yet."""
    count = np.zeros(6, dtype=np.int64)
    count[RANDOM] = (seed * 2_654_435_761 + 88_172_645_463_325_252) & MASK | 1
    return Play(
        free, where, near, spare, np.zeros(slots, dtype=np.bool_), np.zeros(slots, dtype=np.int64),
        np.zeros(slots, dtype=np.int64), count,
        np.zeros(LOGGED_SLOTS, dtype=np.int64), np.zeros(LOGGED_SLOTS + 1, dtype=np.int64), np.zeros(LOGGED_SLOTS),
        np.zeros(LOGGED_SLOTS),
        np.zeros(LOGGED_STOPS, dtype=STOP), np.zeros(len(free), dtype=np.int64),
    )  # fmt: skip


@kernel
def travel(state: State, s: int) -> float:
    """Seconds on the way in a slot's day."""
    slot = state.slots[s]
    total = slot.end_leg
    for i in range(slot.offset, slot.offset + slot.n):
        total += state.stops[i].leg
    return float(total)


@kernel
def begin(play: Play) -> None:
    """A new trial."""
    play.tally[STAMP] += 1
    play.tally[LOGGED] = 0
    play.tally[STOPS] = 0


@kernel
def note(state: State, play: Play, s: int) -> bool:
    """Note a slot's route before it is touched; False when there is no room for it (then leave it alone)."""
    count = play.tally
    if play.mark[s] == count[STAMP]:
        return True
    slot = state.slots[s]
    if count[LOGGED] == len(play.logged) or count[STOPS] + slot.n > len(play.stops):
        return False
    k = count[LOGGED]
    play.mark[s] = count[STAMP]
    play.logged[k], play.begins[k], play.before[k] = s, count[STOPS], travel(state, s)
    play.ends[k] = slot.end
    for i in range(slot.n):
        play.stops[count[STOPS] + i] = state.stops[slot.offset + i]
    count[LOGGED] = k + 1
    count[STOPS] += slot.n
    play.begins[k + 1] = count[STOPS]
    return True


@kernel
def gained(state: State, play: Play) -> float:
    """Seconds of travel that the trial saves."""
    total = 0.0
    for k in range(play.tally[LOGGED]):
        total += play.before[k] - travel(state, play.logged[k])
    return total


@kernel
def lawful(state: State, play: Play) -> bool:
    """No stop is later than its window allows, nor a day longer than its shift, unless it was as late before the trial.

    Every insertion keeps this by itself. Taking a stop out may break it where a stop without a place follows: the way
    that was made before waiting there is then made behind it.
    """
    for k in range(play.tally[LOGGED]):
        slot = state.slots[play.logged[k]]
        if slot.end > max(slot.shift_end, play.ends[k]) + EPS:
            return False
        for i in range(slot.offset, slot.offset + slot.n):
            stop = state.stops[i]
            if stop.start > stop.closes + EPS:
                allowed = -np.inf
                for before in range(play.begins[k], play.begins[k + 1]):
                    if play.stops[before].handle == stop.handle:
                        allowed = play.stops[before].start
                if stop.start > allowed + EPS:
                    return False
    return True


@kernel
def keep(play: Play) -> None:
    """The routes stay as tried."""
    for k in range(play.tally[LOGGED]):
        play.changed[play.logged[k]] = True


@kernel
def restore(state: State, play: Play, batch: Batch) -> None:
    """The routes become what they were."""
    slots, stops = state.slots, state.stops
    for k in range(play.tally[LOGGED]):
        slot = slots[play.logged[k]]
        for i in range(slot.offset, slot.offset + slot.n):
            j = stops[i].handle - batch.first
            if 0 <= j < len(play.where) and play.free[j]:
                play.where[j] = -1
    for k in range(play.tally[LOGGED]):
        s = play.logged[k]
        slot = slots[s]
        slot.n = play.begins[k + 1] - play.begins[k]
        for i in range(slot.n):
            stops[slot.offset + i] = play.stops[play.begins[k] + i]
            j = stops[slot.offset + i].handle - batch.first
            if 0 <= j < len(play.where) and play.free[j]:
                play.where[j] = s
        rebuild(slots, stops, s)


@kernel
def free_job(state: State, play: Play, batch: Batch, s: int, position: int) -> int:
    """The free job at a position of a slot's day, -1 when that stop may not move."""
    j = state.stops[state.slots[s].offset + position].handle - batch.first
    return int(j) if 0 <= j < len(play.where) and play.free[j] else -1


@kernel
def position_of(state: State, s: int, handle: int) -> int:
    """Where a stop is in a slot's day."""
    slot = state.slots[s]
    for p in range(slot.n):
        if state.stops[slot.offset + p].handle == handle:
            return p
    return -1


@kernel
def take_away(state: State, play: Play, batch: Batch, j: int) -> bool:
    """A free job leaves its route, as part of the trial; False when that could not be noted."""
    s = play.where[j]
    if not note(state, play, s):
        return False
    remove(state, s, batch.first + j)
    play.where[j] = -1
    return True


@kernel
def put(state: State, play: Play, batch: Batch, s: int, position: int, j: int) -> bool:
    """A job enters a route, as part of the trial; False when that could not be noted or the pool of stops is full."""
    if not note(state, play, s):
        return False
    if not reserve(state, s):
        play.tally[FULL] = 1
        return False
    insert(state, s, position, batch.jobs, j)
    play.where[j] = s
    return True


@kernel
def allows(state: State, batch: Batch, s: int, j: int) -> bool:
    """Day, member, caps and distance allow a job in a slot."""
    job, slot = batch.jobs[j], state.slots[s]
    capacity = len(state.traits)
    if job.row != TODAY and s // capacity != job.row:
        return False
    if not may_take(state, s, s % capacity, batch.jobs, j, batch.needs, batch.excluded, batch.max_jobs):
        return False
    if batch.max_m <= 0:
        return True
    return bool(metres(slot.lat, slot.lng, slot.cos, job.lat, job.lng, job.cos) <= batch.max_m + EPS)


@kernel
def fits_last(state: State, batch: Batch, s: int, j: int) -> bool:
    """A job fits behind the last stop of a slot's day."""
    slots, stops, jobs = state.slots, state.stops, batch.jobs
    if not allows(state, batch, s, j):
        return False
    n, job = slots[s].n, jobs[j]
    if not load_fits(slots, stops, s, n, job.drop, job.pick):
        return False
    there = travel_from(slots, stops, s, place_before(slots, stops, s, n), job.lat, job.lng, job.cos)
    on = travel_on(slots, stops, s, n, jobs, j)
    return bool(try_position(slots, stops, s, n, jobs, j, there, on)[0] < np.inf)


@kernel
def best_place(state: State, play: Play, batch: Batch, j: int) -> tuple[int, int]:
    """The slot and position that add least for a job, (-1, -1) when it fits none of those that are looked at.

    Looked at are the slots of this trial, those of the job's neighbours, and idle ones near it.
    """
    least, chosen, where = np.inf, -1, -1
    count = play.tally
    count[SEEN] += 1
    logged, near, spare = count[LOGGED], play.near.shape[1], play.spare.shape[1]
    for k in range(logged + near + spare):
        if k < logged:
            s = play.logged[k]
        elif k < logged + near:
            other = play.near[j, k - logged]
            s = play.where[other] if other >= 0 else -1
        else:
            s = play.spare[j, k - logged - near]
        if s < 0 or play.seen[s] == count[SEEN]:
            continue
        play.seen[s] = count[SEEN]
        if not allows(state, batch, s, j):
            continue
        position, added, _ = best_position(state, s, batch.jobs, j, least)
        if position >= 0 and added < least - EPS:
            least, chosen, where = added, s, position
    return chosen, where


@kernel
def random_below(play: Play, limit: int) -> int:
    """A random whole number from 0 to below `limit` (xorshift over 62 bits)."""
    x = play.tally[RANDOM]
    x = (x ^ (x << 13)) & MASK
    x ^= x >> 7
    x = (x ^ (x << 17)) & MASK
    play.tally[RANDOM] = x
    return int((x >> 11) % limit)
