# ruff: noqa: PLR0917 - kernels take positional arguments
# mypy: disable-error-code="no-any-return, arg-type"
"""Bounds that let a search skip a branch or a member: necessary conditions only, with a margin for rounding."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from engine._jit import inlined
from engine.index import spare
from engine.route import EPS
from engine.sphere import CHORD_MARGIN, RADIUS_M
from engine.state import ANY, LAST_BUCKET, MOST_ROOM, Records, State, Words


@inlined
def chord_to_box(
    x: float, y: float, z: float, x0: float, y0: float, z0: float, x1: float, y1: float, z1: float
) -> float:
    """Least chord from a point of the unit sphere to a box, less the margin for rounding."""
    dx = max(x0 - x, x - x1, 0.0)
    dy = max(y0 - y, y - y1, 0.0)
    dz = max(z0 - z, z - z1, 0.0)
    return sqrt(dx * dx + dy * dy + dz * dz) - CHORD_MARGIN


@inlined
def detour_bound(away: float, leg_max: float, round_trip: bool) -> float:
    """Least travel that a job adds which is `away` seconds from every place of a day.

    Between two stops it is a detour from a leg of at most `leg_max`; behind the last one, unless the day ends at a
    place (`round_trip`), just the way there.
    """
    return max(2.0 * away - leg_max, 0.0) if round_trip else max(min(away, 2.0 * away - leg_max), 0.0)


@inlined
def node_away(state: State, k: int, jobs: Records, j: int) -> float:
    """Least travel (seconds) from any place of the days below a node to the job."""
    node, job = state.nodes[k], jobs[j]
    chord = chord_to_box(job.x, job.y, job.z, node.x0, node.y0, node.z0, node.x1, node.y1, node.z1)
    return max(chord, 0.0) * RADIUS_M * node.per_m


@inlined
def node_may(
    state: State,
    k: int,
    away: float,
    jobs: Records,
    j: int,
    needs: Words,
    max_jobs: int,
    plane: int,
    first: int,
    last: int,
) -> bool:
    """Somebody below a node may be able to take the job, whose window reaches from the first to the last bucket."""
    node, job = state.nodes[k], jobs[j]
    if node.free + EPS < job.on_site + away or node.early + away > job.closes + EPS:
        return False
    if (job.drop > 0 or job.pick > 0) and (node.drop < job.drop or node.pick < job.pick):
        return False
    if max_jobs > 0 and node.fewest >= max_jobs:
        return False
    for i in range(job.need, job.need + job.needs):
        bit = needs[i]
        if not (state.node_traits[k, bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
            return False
    work = min(job.on_site, float(MOST_ROOM))
    if first == 0 and last == LAST_BUCKET:
        return bool(state.node_room[k, plane, ANY] >= work)
    for c in range(first, last + 1):  # noqa: SIM110 - compiled
        if state.node_room[k, plane, c] >= work:
            return True
    return False


@inlined
def slot_may(state: State, s: int, jobs: Records, j: int, first: int, last: int) -> bool:
    """The bounds of one slot allow the job."""
    slot, job = state.slots[s], jobs[j]
    chord = chord_to_box(job.x, job.y, job.z, slot.x0, slot.y0, slot.z0, slot.x1, slot.y1, slot.z1)
    away = max(chord, 0.0) * RADIUS_M * slot.per_m
    if slot.free + EPS < job.on_site + away or slot.early + away > job.closes + EPS:
        return False
    if job.drop > 0 or job.pick > 0:
        drop, pick = spare(state, s)
        if drop < job.drop or pick < job.pick:
            return False
    work = min(job.on_site, float(MOST_ROOM))
    if first == 0 and last == LAST_BUCKET:
        return bool(state.room[s, ANY] >= work)
    for c in range(first, last + 1):  # noqa: SIM110 - compiled
        if state.room[s, c] >= work:
            return True
    return False


@inlined
def slot_bound(state: State, s: int, jobs: Records, j: int) -> float:
    """Least travel (seconds) that the job adds to a slot's day."""
    slot, job = state.slots[s], jobs[j]
    chord = chord_to_box(job.x, job.y, job.z, slot.x0, slot.y0, slot.z0, slot.x1, slot.y1, slot.z1)
    return detour_bound(max(chord, 0.0) * RADIUS_M * slot.per_m, slot.leg_max, slot.ended != 0)


@inlined
def off_centre(node: Any, job: Any) -> float:
    """Squared distance from the job to the middle of a node's reference positions (times 4)."""
    dx = node.rx0 + node.rx1 - 2.0 * job.x
    dy = node.ry0 + node.ry1 - 2.0 * job.y
    dz = node.rz0 + node.rz1 - 2.0 * job.z
    return dx * dx + dy * dy + dz * dz


@inlined
def branch(
    state: State,
    k: int,
    jobs: Records,
    j: int,
    needs: Words,
    max_jobs: int,
    plane: int,
    opens: int,
    closes: int,
    detour: bool,
    reach: float,
) -> float:
    """The least value a member below a node could have (nearest: a chord; least detour: seconds), inf: nobody can."""
    node, job = state.nodes[k], jobs[j]
    chord = chord_to_box(job.x, job.y, job.z, node.rx0, node.ry0, node.rz0, node.rx1, node.ry1, node.rz1)
    if chord > reach:
        return np.inf
    away = node_away(state, k, jobs, j)
    if not node_may(state, k, away, jobs, j, needs, max_jobs, plane, opens, closes):
        return np.inf
    return detour_bound(away, node.leg_max, False) if detour else chord
