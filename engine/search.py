# ruff: noqa: PLR0917 - kernels take positional arguments
# mypy: disable-error-code="no-any-return, arg-type"
"""Which member gets a job: the tree is walked nearest branch first; branches where nobody can take it are skipped.

Exact: a branch is skipped only on a bound that no member below can beat (with a margin for rounding), and every member
that could win is tested on its day route. Candidates that tie with the best are kept aside and settled at the end by
the tie rules.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from engine._jit import kernel
from engine.bounds import branch, off_centre, slot_bound, slot_may
from engine.fit import best_position
from engine.index import put_in
from engine.room import bucket
from engine.route import EPS, reserve
from engine.scan import count_reasons, may_take
from engine.sphere import CHORD_MARGIN, RADIUS_M, Floats, metres
from engine.state import PAST, TODAY, Ints, Records, State, Words


class Scratch(NamedTuple):
    """Working memory of a search: branches to visit, members of a leaf, candidates for a tie."""

    stack: Ints
    bounds: Floats
    places: Ints
    chords: Floats
    tied: Ints
    values: Floats


@kernel
def new_scratch(capacity: int) -> Scratch:
    """Working memory for a fleet of so many members."""
    return Scratch(
        np.empty(128, dtype=np.int64),
        np.empty(128, dtype=np.float64),
        np.empty(capacity, dtype=np.int64),
        np.empty(capacity, dtype=np.float64),
        np.empty(capacity, dtype=np.int64),
        np.empty(capacity, dtype=np.float64),
    )


@kernel
def search(
    state: State,
    rows: Ints,
    jobs: Records,
    j: int,
    needs: Words,
    excluded: Words,
    detour: bool,
    max_jobs: int,
    max_m: float,
    scratch: Scratch,
    found: Records,
) -> None:
    """Decide one job; the answer goes to `found[j]` (member -1: nobody)."""
    slots, nodes = state.slots, state.nodes
    capacity = len(state.traits)
    nodes_a_row = len(nodes) // len(state.trees)
    job, best = jobs[j], found[j]
    best.member, best.tests = -1, 0
    if not job.placed or job.row == PAST:
        return
    least = np.inf
    cap = max_m + EPS if max_m > 0 else np.inf
    reach = 4.0  # least chord that is of no use any more
    if max_m > 0 and max_m < 3.0 * RADIUS_M:
        reach = 2.0 * np.sin(0.5 * max_m / RADIUS_M) + 2.0 * CHORD_MARGIN
    ties = 0
    opens, closes = bucket(job.opens), bucket(job.closes + EPS)
    plane = 0
    for i in range(job.need + job.needs - 1, job.need - 1, -1):
        if needs[i] + np.uint64(1) < np.uint64(state.node_room.shape[1]):
            plane = int(needs[i]) + 1
    stack, places = scratch.stack, scratch.places
    bounds, chords = scratch.bounds, scratch.chords
    tied, values = scratch.tied, scratch.values
    for r in range(len(rows) if job.row == TODAY else 1):
        row = rows[r] if job.row == TODAY else np.int64(job.row)
        if state.trees[row] == 0:
            continue
        root, base = row * nodes_a_row, row * capacity
        stack[0], bounds[0] = 0, 0.0
        height = 1
        while height > 0:
            height -= 1
            k = stack[height]
            if bounds[height] > (least + EPS if detour else reach):
                continue
            node = nodes[root + k]
            if not node.leaf:
                near, far = 2 * k + 1, 2 * k + 2
                near_bound = branch(state, root + near, jobs, j, needs, max_jobs, plane, opens, closes, detour, reach)
                far_bound = branch(state, root + far, jobs, j, needs, max_jobs, plane, opens, closes, detour, reach)
                if far_bound < near_bound or (
                    far_bound == near_bound and off_centre(nodes[root + far], job) < off_centre(nodes[root + near], job)
                ):
                    near, far, near_bound, far_bound = far, near, far_bound, near_bound
                limit = least + EPS if detour else reach
                if far_bound <= limit:
                    stack[height], bounds[height] = far, far_bound
                    height += 1
                if near_bound <= limit:
                    stack[height], bounds[height] = near, near_bound
                    height += 1
                continue
            count = 0
            for place in range(node.begin, node.end):
                dx = state.points[base + place, 0] - job.x
                dy = state.points[base + place, 1] - job.y
                dz = state.points[base + place, 2] - job.z
                chord2 = dx * dx + dy * dy + dz * dz
                if chord2 <= reach * reach:
                    places[count], chords[count] = place, chord2
                    count += 1
            while count > 0:
                i = 0
                for other in range(1, count):
                    if chords[other] < chords[i]:
                        i = other
                if chords[i] > reach * reach:
                    break
                member = state.order[base + places[i]]
                count -= 1
                places[i], chords[i] = places[count], chords[count]
                s = base + member
                if not may_take(state, s, member, jobs, j, needs, excluded, max_jobs):
                    continue
                if not slot_may(state, s, jobs, j, opens, closes):
                    continue
                slot = slots[s]
                value = metres(slot.lat, slot.lng, slot.cos, job.lat, job.lng, job.cos)
                if value > cap or (not detour and value > least + EPS):
                    continue
                if detour or value < least:
                    if detour and slot_bound(state, s, jobs, j) > least + EPS:
                        continue
                    best.tests += 1
                    position, added, start = best_position(state, s, jobs, j, least if detour else np.inf)
                    if position < 0:
                        continue
                    if detour:
                        value = added
                    if value < least:
                        if value < least - EPS:
                            ties = 0
                        least = value
                        best.member, best.row, best.position = member, row, position
                        best.added, best.start = added, start
                        if not detour:
                            reach = min(reach, 2.0 * np.sin(0.5 * least / RADIUS_M) + 2.0 * CHORD_MARGIN)
                tied[ties], values[ties] = s, value
                ties += 1
    if best.member >= 0 and ties > 1:
        settle_ties(state, jobs, j, least, tied, values, ties, best)
    if best.member >= 0:
        slot = slots[np.int64(best.row) * capacity + best.member]
        best.distance = metres(slot.lat, slot.lng, slot.cos, job.lat, job.lng, job.cos)


@kernel
def settle_ties(
    state: State, jobs: Records, j: int, least: float, tied: Ints, values: Floats, ties: int, best: Any
) -> None:
    """Of the candidates within 1e-6 of the best whom the job fits: the fewest stops that day, then input order."""
    capacity = len(state.traits)
    keys = np.empty(ties, dtype=np.int64)
    count = 0
    for i in range(ties):
        if values[i] <= least + EPS:
            keys[count] = (np.int64(state.slots[tied[i]].n) << 32) | (tied[i] % capacity)
            tied[count] = tied[i]
            count += 1
    if count < 2:
        return
    for i in np.argsort(keys[:count]):
        s = tied[i]
        best.tests += 1
        position, added, start = best_position(state, s, jobs, j, np.inf)
        if position >= 0:
            best.member, best.row, best.position = s % capacity, s // capacity, position
            best.added, best.start = added, start
            return


@kernel
def decide(
    state: State,
    members: int,
    rows: Ints,
    jobs: Records,
    order: Ints,
    begin: int,
    needs: Words,
    excluded: Words,
    detour: bool,
    max_jobs: int,
    max_m: float,
    found: Records,
    counts: Ints,
    first: Ints,
) -> int:
    """Decide the jobs `order[begin:]` one after the other, each on the routes that the one before left.

    Returns:
        `len(order)`, or the place where the pool of stops had no room: grow it and call again from there.
    """
    capacity = len(state.traits)
    scratch = new_scratch(capacity)
    for k in range(begin, len(order)):
        j = order[k]
        search(state, rows, jobs, j, needs, excluded, detour, max_jobs, max_m, scratch, found)
        best = found[j]
        if best.member >= 0:
            s = np.int64(best.row) * capacity + best.member
            if not reserve(state, s):
                return k
            put_in(state, s, best.position, jobs, j)
        elif len(counts) > 0 and jobs[j].placed:
            count_reasons(state, members, rows, jobs, j, needs, excluded, max_jobs, max_m, counts[j], first[j])
    return len(order)
