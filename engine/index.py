# ruff: noqa: PLR0917 - kernels take positional arguments
"""The tree over the reference positions of a day, and what the members below each node could still take.

scikit-learn's `BallTree` (haversine) gives the shape; its nodes get boxes of unit vectors, because the chord orders
like the great circle and needs no trigonometry, and aggregates (`room.py`). A change of one slot mends the nodes on its
path to the root.
"""

from __future__ import annotations

from math import cos, sin

import numpy as np

from engine._jit import inlined, kernel
from engine.planting import Planter
from engine.room import measure_room
from engine.route import EPS, insert, measure, rebuild, remove, reserve, retime, sorted_position
from engine.sphere import Floats
from engine.state import COLUMNS, LEAF_SIZE, Ints, Records, State


def plant(state: State, row: int, members: int, planter: Planter) -> None:
    """Build the tree of a row over all members with a reference position; the slots' own bounds must be up to date."""
    capacity = len(state.traits)
    begin = row * capacity
    slots = state.slots[begin : begin + members]
    inside = np.flatnonzero(slots["placed"])
    state.rank[begin : begin + capacity] = -1
    state.trees[row] = 0
    if len(inside) == 0:
        return
    order, shape = _shape(np.column_stack([slots["lat"][inside], slots["lng"][inside]]), planter)
    chosen = inside[order]
    state.order[begin : begin + len(chosen)] = chosen
    state.rank[begin + chosen] = np.arange(len(chosen))
    for axis, name in enumerate("xyz"):
        state.points[begin : begin + len(chosen), axis] = slots[name][chosen]
    nodes_a_row = len(state.nodes) // len(state.trees)
    nodes = state.nodes[row * nodes_a_row : row * nodes_a_row + len(shape)]
    nodes["begin"], nodes["end"], nodes["leaf"] = shape["idx_start"], shape["idx_end"], shape["is_leaf"]
    state.trees[row] = len(shape)
    gather_all(state, row)


def _shape(places: Floats, planter: Planter) -> tuple[Ints, Records]:
    """The tree over places (latitude, longitude in radians): their order in it, and its nodes."""
    if len(places) <= 2 * LEAF_SIZE:
        nodes = np.array([(0, len(places), 1)], dtype=[("idx_start", "i8"), ("idx_end", "i8"), ("is_leaf", "i8")])
        return np.arange(len(places)), nodes
    return planter(places, LEAF_SIZE)


@kernel
def gather_all(state: State, row: int) -> None:
    """All nodes of a row anew, from the leaves up."""
    first = row * (len(state.nodes) // len(state.trees))
    for k in range(state.trees[row] - 1, -1, -1):
        if state.nodes[first + k].leaf:
            gather_leaf(state, row, first + k)
        else:
            gather_node(state, first, k)


@kernel
def gather_leaf(state: State, row: int, k: int) -> None:
    """A leaf's aggregates from its open members."""
    capacity = len(state.traits)
    base = row * capacity
    node, room, node_room = state.nodes[k], state.room, state.node_room
    node.rx0, node.ry0, node.rz0, node.rx1, node.ry1, node.rz1 = np.inf, np.inf, np.inf, -np.inf, -np.inf, -np.inf
    node.x0, node.y0, node.z0, node.x1, node.y1, node.z1 = np.inf, np.inf, np.inf, -np.inf, -np.inf, -np.inf
    node.per_m, node.early, node.free, node.drop, node.pick, node.leg_max = np.inf, np.inf, -1.0, -1.0, -1.0, 0.0
    node.fewest = 2**31 - 1
    planes = node_room.shape[1]
    for plane in range(planes):
        for c in range(COLUMNS):
            node_room[k, plane, c] = -1
    for w in range(state.traits.shape[1]):
        state.node_traits[k, w] = np.uint64(0)
    for place in range(node.begin, node.end):
        member = state.order[base + place]
        s = base + member
        slot = state.slots[s]
        if not slot.open:
            continue
        node.rx0, node.ry0, node.rz0 = min(node.rx0, slot.x), min(node.ry0, slot.y), min(node.rz0, slot.z)
        node.rx1, node.ry1, node.rz1 = max(node.rx1, slot.x), max(node.ry1, slot.y), max(node.rz1, slot.z)
        node.x0, node.y0, node.z0 = min(node.x0, slot.x0), min(node.y0, slot.y0), min(node.z0, slot.z0)
        node.x1, node.y1, node.z1 = max(node.x1, slot.x1), max(node.y1, slot.y1), max(node.z1, slot.z1)
        node.per_m = min(node.per_m, slot.per_m)
        node.early = min(node.early, slot.early)
        node.free = max(node.free, slot.free)
        node.leg_max = max(node.leg_max, slot.leg_max)
        node.fewest = min(node.fewest, slot.n)
        drop, pick = spare(state, s)
        node.drop, node.pick = max(node.drop, drop), max(node.pick, pick)
        theirs = room[s]
        for plane in range(planes):
            if plane > 0 and not (state.traits[member, 0] >> np.uint64(plane - 1)) & np.uint64(1):
                continue
            mine = node_room[k, plane]
            for c in range(COLUMNS):
                mine[c] = max(mine[c], theirs[c])
        for w in range(state.traits.shape[1]):
            state.node_traits[k, w] |= state.traits[member, w]


@inlined
def spare(state: State, s: int) -> tuple[float, float]:
    """Items that a slot could at most still drop and pick."""
    slot = state.slots[s]
    if slot.capacity <= 0:
        return np.inf, np.inf
    if slot.load_max > slot.capacity:
        return 0.0, 0.0
    return slot.capacity - slot.load0, slot.capacity - slot.load1


@inlined
def gather_node(state: State, first: int, k: int) -> bool:
    """A node's aggregates from its children (`k` counts within the row, `first` is the root); False: nothing new."""
    nodes, node_room, node_traits = state.nodes, state.node_room, state.node_traits
    up, left, right = first + k, first + 2 * k + 1, first + 2 * k + 2
    node, a, b = nodes[up], nodes[left], nodes[right]
    changed = False
    x0, y0, z0 = min(a.rx0, b.rx0), min(a.ry0, b.ry0), min(a.rz0, b.rz0)
    x1, y1, z1 = max(a.rx1, b.rx1), max(a.ry1, b.ry1), max(a.rz1, b.rz1)
    changed |= x0 != node.rx0 or y0 != node.ry0 or z0 != node.rz0
    changed |= x1 != node.rx1 or y1 != node.ry1 or z1 != node.rz1
    node.rx0, node.ry0, node.rz0, node.rx1, node.ry1, node.rz1 = x0, y0, z0, x1, y1, z1
    x0, y0, z0 = min(a.x0, b.x0), min(a.y0, b.y0), min(a.z0, b.z0)
    x1, y1, z1 = max(a.x1, b.x1), max(a.y1, b.y1), max(a.z1, b.z1)
    changed |= x0 != node.x0 or y0 != node.y0 or z0 != node.z0
    changed |= x1 != node.x1 or y1 != node.y1 or z1 != node.z1
    node.x0, node.y0, node.z0, node.x1, node.y1, node.z1 = x0, y0, z0, x1, y1, z1
    per_m, early, free = min(a.per_m, b.per_m), min(a.early, b.early), max(a.free, b.free)
    changed |= per_m != node.per_m or early != node.early or free != node.free
    node.per_m, node.early, node.free = per_m, early, free
    drop, pick, leg_max = max(a.drop, b.drop), max(a.pick, b.pick), max(a.leg_max, b.leg_max)
    changed |= drop != node.drop or pick != node.pick or leg_max != node.leg_max
    node.drop, node.pick, node.leg_max = drop, pick, leg_max
    fewest = min(a.fewest, b.fewest)
    changed |= fewest != node.fewest
    node.fewest = fewest
    differing = 0
    for plane in range(node_room.shape[1]):
        mine, lower, upper = node_room[up, plane], node_room[left, plane], node_room[right, plane]
        for c in range(COLUMNS):
            most = max(lower[c], upper[c])
            differing += most != mine[c]
            mine[c] = most
    for w in range(node_traits.shape[1]):
        bits = node_traits[left, w] | node_traits[right, w]
        differing += bits != node_traits[up, w]
        node_traits[up, w] = bits
    return changed or differing > 0


@kernel
def settle(state: State, s: int) -> None:
    """After a change of a slot's route or position: its bounds, and the nodes from its leaf up to the root."""
    measure_room(state, s)
    capacity = len(state.traits)
    row = s // capacity
    place = state.rank[s]
    if place < 0 or state.trees[row] == 0:
        return
    first = row * (len(state.nodes) // len(state.trees))
    k = leaf_of(state, row, place) - first
    gather_leaf(state, row, first + k)
    while k > 0:
        k = (k - 1) // 2
        if not gather_node(state, first, k):
            return


@kernel
def relocate(state: State, s: int, lat: float, lng: float, placed: int) -> bool:
    """Move a slot's reference position (radians), mend its route and the index; True when it left its branch."""
    slot = state.slots[s]
    placed = max(placed, 0)
    if slot.placed == placed and (placed == 0 or (slot.lat == lat and slot.lng == lng)):
        return False
    flat = cos(lat)
    slot.lat, slot.lng, slot.cos = lat, lng, flat
    slot.x, slot.y, slot.z = flat * cos(lng), flat * sin(lng), sin(lat)
    slot.placed = placed
    slot.open = 1 if placed and slot.eligible and slot.on_shift and not slot.past else 0
    measure(state.slots, state.stops, s, 0, 1)
    retime(state.slots, state.stops, s)
    capacity = len(state.traits)
    row = s // capacity
    place = state.rank[s]
    if place < 0:
        measure_room(state, s)
        return False
    at = row * capacity + place
    state.points[at, 0], state.points[at, 1], state.points[at, 2] = slot.x, slot.y, slot.z
    node = state.nodes[leaf_of(state, row, place)]
    strayed = not (node.rx0 <= slot.x <= node.rx1 and node.ry0 <= slot.y <= node.ry1 and node.rz0 <= slot.z <= node.rz1)
    settle(state, s)
    return strayed


@inlined
def leaf_of(state: State, row: int, place: int) -> int:
    """The leaf that holds a place of a row's tree."""
    first = row * (len(state.nodes) // len(state.trees))
    k = 0
    while not state.nodes[first + k].leaf:
        k = 2 * k + 1
        if place >= state.nodes[first + k].end:
            k += 1
    return first + k


@kernel
def put_in(state: State, s: int, position: int, jobs: Records, j: int) -> None:
    """Insert a job where `reserve` made room, and mend the index."""
    insert(state, s, position, jobs, j)
    settle(state, s)


@kernel
def take_out(state: State, s: int, handle: int) -> int:
    """Remove a stop and mend the index; returns its position, -1 when it is not there."""
    position: int = remove(state, s, handle)
    if position >= 0:
        settle(state, s)
    return position


@kernel
def enter(state: State, jobs: Records, which: Ints, targets: Ints, behind_floor: bool, at: int, begin: int) -> int:
    """Put jobs into their slots at position `at`, or by the order of stops when it is negative.

    Returns:
        `len(which)`, or where it stopped for want of room in the pool.
    """
    for k in range(begin, len(which)):
        s = targets[k]
        if not reserve(state, s):
            return k
        if at < 0:
            position = sorted_position(state, s, jobs, which[k], behind_floor)
        else:
            position = min(max(at, state.slots[s].floor), state.slots[s].n)
        put_in(state, s, position, jobs, which[k])
    return len(which)


@kernel
def tick(state: State, row: int, clocks: Floats) -> None:
    """Let the days of members for whom the row is today start at `clocks` (seconds, by member) at the earliest."""
    capacity = len(state.traits)
    for member in range(len(clocks)):
        s = row * capacity + member
        slot = state.slots[s]
        start = max(slot.begin, clocks[member])
        if not slot.today or start == slot.start:
            continue
        slot.start = start
        slot.on_shift = start < slot.shift_end - EPS
        slot.open = 1 if slot.placed and slot.eligible and slot.on_shift and not slot.past else 0
        retime(state.slots, state.stops, s)
        measure_room(state, s)
    gather_all(state, row)


@kernel
def rebuild_slots(state: State, chosen: Ints) -> None:
    """Routes and bounds of many slots anew; the trees are the caller's business."""
    for k in range(len(chosen)):
        rebuild(state.slots, state.stops, chosen[k])
        measure_room(state, chosen[k])
