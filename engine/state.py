"""The fleet's state in flat arrays: what the compiled kernels read and write.

A *slot* is one member on one day: `slot = row * capacity + member`, a row being one calendar day in play. The stops of
a slot lie side by side in one pool, in a segment of 4, 8, 16 ... places; a segment that is too small is swapped for one
of twice the size. Every row has a tree over the reference positions of its members; its nodes lie in heap order
(children of k: 2k + 1, 2k + 2).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


def _fields(*groups: tuple[str, str]) -> np.dtype[Any]:
    return np.dtype([(name, kind) for kind, names in groups for name in names.split()], align=True)


SLOT: Final = _fields(
    # Reference position; end of the route; seconds per metre of travel.
    ("f8", "x y z lat lng cos ex ey ez elat elng ecos per_m"),
    # Start of the day without and with regard to now, end of the shift, end of the day as it stands, travel to the
    # route's end (s).
    ("f8", "begin start shift_end end end_leg"),
    # Items: the vehicle's limit (0: none), on board at the start, at the end, at most.
    ("f8", "capacity load0 load1 load_max"),
    # Bounds for the search: box around all places of the day, longest leg, longest time between two stops, earliest
    # departure.
    ("f8", "x0 y0 z0 x1 y1 z1 leg_max free early"),
    # Number of stops; their segment and its size class; first position that a job may take.
    ("i4", "n offset size floor"),
    # Has a reference position, has a route's end; takes jobs at all, because eligible, on shift and not past; the
    # member's today.
    ("u1", "placed ended open eligible on_shift past today"),
)

STOP: Final = _fields(
    # End of the work as it stands; latest start that keeps the rest as good as it is; travel from the place before;
    # place. What the fit test reads comes first, so that it lies together.
    ("f8", "leave latest leg lat lng cos"),
    # Most load on the legs up to this stop, and on those after it; window; start of the work as it stands; time on
    # site; items.
    ("f8", "load_before load_after opens closes start on_site drop pick"),
    # Place as a unit vector; order in the day route.
    ("f8", "x y z number scheduled created"),
    ("i8", "handle"),
    # Position of the last stop with a place, up to and with this one; -1 for the reference position.
    ("i4", "carry"),
    ("u1", "placed under_way"),
)

JOB: Final = _fields(
    ("f8", "x y z lat lng cos opens closes on_site drop pick number scheduled created"),
    ("i8", "handle"),
    # Row of the day, TODAY or PAST; begin and count of what it asks for (bits; the team comes first when `team` is 1)
    # and of the members it excludes, in the lists beside.
    ("i4", "row team need needs excluded excludes"),
    ("u1", "placed under_way"),
)

NODE: Final = _fields(
    # Box around the reference positions, and around all places of the days, of the open members below.
    ("f8", "rx0 ry0 rz0 rx1 ry1 rz1 x0 y0 z0 x1 y1 z1"),
    # What the best of the members below could still take: least seconds per metre, earliest departure, longest time
    # between stops, items to drop and to pick, longest leg; fewest stops.
    ("f8", "per_m early free drop pick leg_max"),
    # Places in the tree's order, from begin to end.
    ("i4", "begin end fewest"),
    ("u1", "leaf"),
)

FOUND: Final = _fields(
    ("f8", "distance added start"),
    # Member or -1; row of the day; position; how many exact fit tests the search made.
    ("i4", "member row position tests"),
)

TODAY: Final = -1
"""`JOB.row` of a job for each member's own today."""

PAST: Final = -2
"""`JOB.row` of a job on a day that is past for every member."""

TOP, FREE, CLASSES = 0, 1, 40
"""Places in `State.heap`: first unused stop of the pool, then per size class the first free segment."""

LEAF_SIZE: Final = 8
"""Least members in a leaf of the tree (at most twice as many)."""

BUCKET_S: Final = 1800
"""Length of the time-of-day buckets of `State.room`, seconds."""

LAST_BUCKET: Final = 48
"""The bucket of everything from 24 h on."""

ANY: Final = 63
"""Column of `State.room` with the most of all buckets."""

COLUMNS: Final = 64

MOST_PLANES: Final = 16
"""Most planes of `State.node_room`: one for everybody, and one each for the first traits."""

MOST_ROOM: Final = 32767
"""Room is counted in whole seconds, rounded up; this much means "or more"."""


class State(NamedTuple):
    """Everything the kernels share. `capacity` is the number of members there is room for, `nodes_a_row` that of nodes.

    Attributes:
        slots: SLOT, (rows * capacity,).
        stops: STOP, (pool,).
        heap: the pool's bookkeeping.
        traits: teams and skills of each member as bits, (capacity, words).
        room: per slot, the longest work that could start in each bucket of the day, seconds, -1 for none, (rows *
            capacity, 64).
        order: member at each place of the tree, (rows * capacity,).
        rank: place of each member in the tree, -1 when it is not there, (rows * capacity,).
        points: unit vectors of the reference positions in the tree's order, (rows * capacity, 3).
        nodes: NODE, (rows * nodes_a_row,).
        node_room: as `room`, the most of the members below: of all of them in plane 0, of those with trait t (a bit of
            `traits`) in plane t + 1, for the first few traits, (rows * nodes_a_row, planes, 64).
        node_traits: bits of the members below together, (rows * nodes_a_row, words).
        trees: per row the number of nodes, (rows,).
    """

    slots: Records
    stops: Records
    heap: Ints
    traits: Words
    room: npt.NDArray[np.int16]
    order: npt.NDArray[np.int32]
    rank: npt.NDArray[np.int32]
    points: npt.NDArray[np.float64]
    nodes: Records
    node_room: npt.NDArray[np.int16]
    node_traits: Words
    trees: Ints


def new_state(capacity: int, words: int, planes: int, *, rows: int = 1, pool: int = 1024) -> State:
    """An empty state."""
    heap = np.full(FREE + CLASSES, -1, dtype=np.int64)
    heap[TOP] = 0
    slots, nodes = rows * capacity, rows * nodes_for(capacity)
    return State(
        slots=np.zeros(slots, dtype=SLOT),
        stops=np.zeros(pool, dtype=STOP),
        heap=heap,
        traits=np.zeros((capacity, words), dtype=np.uint64),
        room=np.zeros((slots, COLUMNS), dtype=np.int16),
        order=np.zeros(slots, dtype=np.int32),
        rank=np.zeros(slots, dtype=np.int32),
        points=np.zeros((slots, 3)),
        nodes=np.zeros(nodes, dtype=NODE),
        node_room=np.zeros((nodes, planes, COLUMNS), dtype=np.int16),
        node_traits=np.zeros((nodes, words), dtype=np.uint64),
        trees=np.zeros(rows, dtype=np.int64),
    )


def nodes_for(members: int) -> int:
    """Nodes of scikit-learn's tree over so many points: halved until a leaf has fewer than twice LEAF_SIZE."""
    levels = int(np.log2(max(1.0, (members - 1) / LEAF_SIZE)) + 1)
    return int(2**levels - 1)


def with_rows(state: State, rows: int) -> State:
    """The state with room for more days."""
    have = len(state.trees)
    names = ("slots", "room", "order", "rank", "points", "nodes", "node_room", "node_traits", "trees")
    return state._replace(
        **{name: longer(getattr(state, name), len(getattr(state, name)) // have * rows) for name in names}
    )


def with_pool(state: State, pool: int) -> State:
    """The state with room for more stops."""
    return state._replace(stops=longer(state.stops, pool))


def with_capacity(state: State, capacity: int) -> State:
    """The state with room for more members; the trees must be planted anew."""
    have, rows = len(state.traits), len(state.trees)
    wide = nodes_for(capacity)

    def spread(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        grown = np.zeros((rows, capacity, *array.shape[1:]), dtype=array.dtype)
        grown[:, :have] = array.reshape(rows, have, *array.shape[1:])
        return grown.reshape(rows * capacity, *array.shape[1:])

    per_member = ("slots", "room", "order", "rank", "points")
    return state._replace(
        **{name: spread(getattr(state, name)) for name in per_member},
        traits=longer(state.traits, capacity),
        nodes=np.zeros(rows * wide, dtype=NODE),
        node_room=np.zeros((rows * wide, state.node_room.shape[1], COLUMNS), dtype=np.int16),
        node_traits=np.zeros((rows * wide, state.traits.shape[1]), dtype=np.uint64),
        trees=np.zeros(rows, dtype=np.int64),
    )


def with_words(state: State, words: int, planes: int) -> State:
    """The state with more bits per member; the trees must be planted anew."""

    def wider(array: Words) -> Words:
        grown = np.zeros((len(array), words), dtype=np.uint64)
        grown[:, : array.shape[1]] = array
        return grown

    return state._replace(
        traits=wider(state.traits),
        node_traits=wider(state.node_traits),
        node_room=np.zeros((len(state.nodes), planes, COLUMNS), dtype=np.int16),
    )


def longer(array: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """The array with more entries, zeros behind."""
    grown = np.zeros((length, *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown
