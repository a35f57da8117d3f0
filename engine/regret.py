# ruff: noqa: PLR0917 - kernels take positional arguments
"""The order "regret": of the jobs of one priority, the one that would lose most by waiting goes first.

What a job loses is the difference between its best and its next best member, in what the policy counts (metres from the
reference position, or seconds of added travel). A job that only one member can take goes before all that have a choice.
Fit, position, member and ties are those of the ordinary search; only the order changes.

All marginal costs are exact: a table of jobs by members is filled once, and after an insertion the column of the member
that changed is worked out again.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from engine._jit import kernel
from engine.bounds import slot_may
from engine.days import Days
from engine.deadline import Deadline
from engine.fit import best_position
from engine.index import put_in
from engine.room import bucket
from engine.route import EPS, reserve
from engine.scan import count_reasons, may_take
from engine.sphere import Floats, metres
from engine.state import PAST, TODAY, Ints, Records, State, Words

Flags = npt.NDArray[np.bool_]

PAIRS: Final = 8_000_000
"""Most entries of the table (64 MB). A larger batch is taken piece by piece, in its order."""

SLICE: Final = 200_000
"""Entries that are worked out between two looks at the clock (some tens of milliseconds)."""


def take_all_by_regret(
    days: Days,
    members: int,
    jobs: Records,
    order: Ints,
    priorities: Ints,
    needs: Words,
    excluded: Words,
    detour: bool,
    max_jobs: int,
    max_m: float,
    found: Records,
    counts: Ints,
    first: Ints,
    deadline: Deadline,
) -> Ints:
    """Decide the jobs `order` by priority, and those of one priority by regret; the answers go to `found`.

    Returns:
        The jobs that the deadline left undecided, in their order.
    """
    for priority in np.unique(priorities)[::-1]:
        group = order[priorities == priority]
        left = take_by_regret(
            days, members, jobs, group, needs, excluded, detour, max_jobs, max_m, found, counts, first, deadline
        )
        if len(left):
            return np.concatenate([left, order[priorities < priority]])
    return order[:0]


def take_by_regret(
    days: Days,
    members: int,
    jobs: Records,
    group: Ints,
    needs: Words,
    excluded: Words,
    detour: bool,
    max_jobs: int,
    max_m: float,
    found: Records,
    counts: Ints,
    first: Ints,
    deadline: Deadline,
) -> Ints:
    """Decide the jobs `group`, which have one priority, by regret; the answers go to `found`.

    Returns:
        The jobs that the deadline left undecided, in their order.
    """
    rows = days.today_rows()
    size = max(1, PAIRS // members)
    for begin in range(0, len(group), size):
        part = group[begin : begin + size]
        left = _take_part(
            days, members, rows, jobs, part, needs, excluded, detour, max_jobs, max_m, found, counts, first, deadline
        )
        if len(left):
            return np.concatenate([left, group[begin + size :]])
    return group[:0]


def _take_part(
    days: Days,
    members: int,
    rows: Ints,
    jobs: Records,
    part: Ints,
    needs: Words,
    excluded: Words,
    detour: bool,
    max_jobs: int,
    max_m: float,
    found: Records,
    counts: Ints,
    first: Ints,
    deadline: Deadline,
) -> Ints:
    costs = np.empty((len(part), members))
    waiting = np.ones(len(part), dtype=np.bool_)
    weights = np.zeros((len(part), 2))
    step = max(1, SLICE // members)
    for begin in range(0, len(part), step):
        if deadline.passed:
            return part
        end = min(begin + step, len(part))
        fill(days.state, rows, jobs, part, begin, end, needs, excluded, detour, max_jobs, max_m, costs, weights)
    while not deadline.passed:
        done = take(
            days.state,
            rows,
            jobs,
            part,
            needs,
            excluded,
            detour,
            max_jobs,
            max_m,
            costs,
            weights,
            waiting,
            found,
            SLICE,
        )
        if done == NO_ROOM:
            days.grow_pool()
        elif done == NOBODY:
            left = part[waiting]
            found["member"][left] = -1
            if len(counts):
                for j in left[jobs["placed"][left] != 0]:
                    count_reasons(
                        days.state, members, rows, jobs, j, needs, excluded, max_jobs, max_m, counts[j], first[j]
                    )
            return part[:0]
    return part[waiting]


MORE, NO_ROOM, NOBODY = 0, 1, 2


@kernel
def slot_for(state: State, rows: Ints, row: int, member: int) -> int:
    """The slot of a member on a job's day, -1 when that day is past."""
    capacity = len(state.traits)
    if row == PAST:
        return -1
    if row != TODAY:
        return row * capacity + member
    for r in range(len(rows)):
        if state.slots[rows[r] * capacity + member].today:
            return int(rows[r] * capacity + member)
    return -1


@kernel
def cost_of(
    state: State, s: int, member: int, jobs: Records, j: int, needs: Words, excluded: Words, detour: bool,
    max_jobs: int, max_m: float,
) -> float:  # fmt: skip
    """What the policy counts for a job on a slot's day, inf when it does not fit."""
    if s < 0 or not may_take(state, s, member, jobs, j, needs, excluded, max_jobs):
        return np.inf
    slot, job = state.slots[s], jobs[j]
    if not slot_may(state, s, jobs, j, bucket(job.opens), bucket(job.closes + EPS)):
        return np.inf
    distance = metres(slot.lat, slot.lng, slot.cos, job.lat, job.lng, job.cos)
    if max_m > 0 and distance > max_m + EPS:
        return np.inf
    position, added, _ = best_position(state, s, jobs, j, np.inf)
    if position < 0:
        return np.inf
    return added if detour else distance


@kernel
def fill(
    state: State, rows: Ints, jobs: Records, part: Ints, begin: int, end: int, needs: Words, excluded: Words,
    detour: bool, max_jobs: int, max_m: float, costs: Floats, weights: Floats,
) -> None:  # fmt: skip
    """Work out rows of the table and what their jobs would lose."""
    for g in range(begin, end):
        job = jobs[part[g]]
        for member in range(costs.shape[1]):
            costs[g, member] = np.inf
            if job.placed:
                s = slot_for(state, rows, job.row, member)
                costs[g, member] = cost_of(state, s, member, jobs, part[g], needs, excluded, detour, max_jobs, max_m)
        weigh(costs, weights, g)


@kernel
def weigh(costs: Floats, weights: Floats, g: int) -> None:
    """Note of a job: its second least cost, its least cost."""
    least, second = np.inf, np.inf
    for member in range(costs.shape[1]):
        cost = costs[g, member]
        if cost < second:
            if cost < least:
                least, second = cost, least
            else:
                second = cost
    weights[g, 0] = second
    weights[g, 1] = least


@kernel
def most_urgent(weights: Floats, waiting: Flags) -> int:
    """The job that goes next, -1 when none fits anywhere.

    The greatest regret (endless for a job with one member only), then the greatest cost, then the first.
    """
    regret, cost = -1.0, -np.inf
    for g in range(len(waiting)):
        if waiting[g] and weights[g, 1] < np.inf:
            regret = max(regret, weights[g, 0] - weights[g, 1])
    for g in range(len(waiting)):
        if waiting[g] and weights[g, 1] < np.inf and weights[g, 0] - weights[g, 1] >= regret - EPS:
            cost = max(cost, weights[g, 1])
    for g in range(len(waiting)):
        if waiting[g] and cost - EPS <= weights[g, 1] < np.inf and weights[g, 0] - weights[g, 1] >= regret - EPS:
            return g
    return -1


@kernel
def take(
    state: State, rows: Ints, jobs: Records, part: Ints, needs: Words, excluded: Words, detour: bool, max_jobs: int,
    max_m: float, costs: Floats, weights: Floats, waiting: Flags, found: Records, most: int,
) -> int:  # fmt: skip
    """Insert jobs by regret until `most` entries of the table were worked out again.

    Returns:
        MORE: call again. NO_ROOM: the pool of stops is full, grow it and call again. NOBODY: no job fits anywhere.
    """
    capacity = len(state.traits)
    while most > 0:
        chosen = most_urgent(weights, waiting)
        if chosen < 0:
            return NOBODY
        j = part[chosen]
        job, best = jobs[j], found[j]
        member, fewest = -1, 2**31 - 1
        for m in range(costs.shape[1]):
            if costs[chosen, m] <= weights[chosen, 1] + EPS:
                n = state.slots[slot_for(state, rows, job.row, m)].n
                if n < fewest:
                    member, fewest = m, n
        s = slot_for(state, rows, job.row, member)
        if not reserve(state, s):
            return NO_ROOM
        slot = state.slots[s]
        best.position, best.added, best.start = best_position(state, s, jobs, j, np.inf)
        best.member, best.row = member, s // capacity
        best.distance = metres(slot.lat, slot.lng, slot.cos, job.lat, job.lng, job.cos)
        put_in(state, s, best.position, jobs, j)
        waiting[chosen] = False
        for g in range(len(part)):
            if waiting[g] and slot_for(state, rows, jobs[part[g]].row, member) == s:
                before = costs[g, member]
                cost = cost_of(state, s, member, jobs, part[g], needs, excluded, detour, max_jobs, max_m)
                if cost != before:
                    costs[g, member] = cost
                    if min(before, cost) <= weights[g, 0]:
                        weigh(costs, weights, g)
        most -= len(part)
    return MORE
