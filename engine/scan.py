# ruff: noqa: PLR0917 - kernels take positional arguments
# mypy: disable-error-code="no-any-return, arg-type"
"""The plain scan over all members: the definition of the answer that the search must find."""

from __future__ import annotations

import numpy as np

from engine._jit import inlined, kernel
from engine.fit import best_position, has_traits, is_excluded, why_not
from engine.index import put_in
from engine.route import EPS, reserve
from engine.sphere import metres
from engine.state import PAST, TODAY, Ints, Records, State, Words


@inlined
def may_take(
    state: State, s: int, member: int, jobs: Records, j: int, needs: Words, excluded: Words, max_jobs: int
) -> bool:
    """Everything but distance, time and load allows the job."""
    slot, job = state.slots[s], jobs[j]
    if not slot.open or (job.row == TODAY and not slot.today) or (max_jobs > 0 and slot.n >= max_jobs):
        return False
    if not has_traits(state.traits, member, needs, job.need, job.needs):
        return False
    return not is_excluded(member, excluded, job.excluded, job.excludes)


@kernel
def scan(
    state: State,
    members: int,
    rows: Ints,
    jobs: Records,
    j: int,
    needs: Words,
    excluded: Words,
    detour: bool,
    max_jobs: int,
    max_m: float,
    found: Records,
) -> None:
    """Decide one job by looking at every member; the answer goes to `found[j]` (member -1: nobody)."""
    slots = state.slots
    capacity = len(state.traits)
    job, best = jobs[j], found[j]
    best.member, best.tests = -1, 0
    if not job.placed or job.row == PAST:
        return
    least = np.inf
    for step in range(2):
        fewest = np.int64(2**62)
        for r in range(len(rows) if job.row == TODAY else 1):
            row = rows[r] if job.row == TODAY else np.int64(job.row)
            for member in range(members):
                s = row * capacity + member
                if not may_take(state, s, member, jobs, j, needs, excluded, max_jobs):
                    continue
                slot = slots[s]
                distance = metres(slot.lat, slot.lng, slot.cos, job.lat, job.lng, job.cos)
                if max_m > 0 and distance > max_m + EPS:
                    continue
                if not detour and (distance >= least if step == 0 else distance > least + EPS):
                    continue
                if step == 1 and (slot.n > fewest or (slot.n == fewest and member > best.member)):
                    continue
                best.tests += 1
                position, added, start = best_position(state, s, jobs, j, np.inf)
                if position < 0:
                    continue
                value = added if detour else distance
                if step == 0:
                    least = min(least, value)
                elif value <= least + EPS:
                    fewest = slot.n
                    best.member, best.row, best.position = member, row, position
                    best.distance, best.added, best.start = distance, added, start
        if least == np.inf:
            return


@kernel
def count_reasons(
    state: State,
    members: int,
    rows: Ints,
    jobs: Records,
    j: int,
    needs: Words,
    excluded: Words,
    max_jobs: int,
    max_m: float,
    counts: Ints,
    first: Ints,
) -> None:
    """Count per code the members who cannot take a job, and the first of each (`counts` and `first`: (13,))."""
    capacity = len(state.traits)
    job = jobs[j]
    for member in range(members):
        code = 0
        if job.row != PAST:
            s = np.int64(job.row) * capacity + member
            if job.row == TODAY:
                for r in range(len(rows)):
                    s = rows[r] * capacity + member
                    if state.slots[s].today:
                        break
            code = why_not(state, s, member, jobs, j, needs, excluded, max_jobs, max_m)
        if code >= 0:
            if counts[code] == 0:
                first[code] = member
            counts[code] += 1


@kernel
def survey(
    state: State,
    members: int,
    rows: Ints,
    jobs: Records,
    j: int,
    needs: Words,
    excluded: Words,
    max_jobs: int,
    max_m: float,
    found: Records,
    codes: Ints,
) -> None:
    """Every member's answer to a job: FOUND records (member -1: cannot take it), codes (-1: can), (members,) both."""
    capacity = len(state.traits)
    job = jobs[j]
    for member in range(members):
        answer = found[member]
        answer.member, answer.position, answer.distance = -1, -1, np.nan
        codes[member] = 0
        if job.row == PAST:
            continue
        row = np.int64(job.row)
        if job.row == TODAY:
            for r in range(len(rows)):
                row = rows[r]
                if state.slots[row * capacity + member].today:
                    break
        s = row * capacity + member
        slot = state.slots[s]
        answer.row = row
        if slot.placed:
            answer.distance = metres(slot.lat, slot.lng, slot.cos, job.lat, job.lng, job.cos)
        codes[member] = why_not(state, s, member, jobs, j, needs, excluded, max_jobs, max_m)
        if codes[member] < 0:
            answer.member = member
            answer.position, answer.added, answer.start = best_position(state, s, jobs, j, np.inf)


@kernel
def decide_by_scan(
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
    """What `engine.search.decide` does, by plain scans."""
    capacity = len(state.traits)
    for k in range(begin, len(order)):
        j = order[k]
        scan(state, members, rows, jobs, j, needs, excluded, detour, max_jobs, max_m, found)
        best = found[j]
        if best.member >= 0:
            s = np.int64(best.row) * capacity + best.member
            if not reserve(state, s):
                return k
            put_in(state, s, best.position, jobs, j)
        elif len(counts) > 0 and jobs[j].placed:
            count_reasons(state, members, rows, jobs, j, needs, excluded, max_jobs, max_m, counts[j], first[j])
    return len(order)
