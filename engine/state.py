"""The fleet's state in flat arrays: what the compiled kernels read and write.

A *slot* is one member on one day: `slot = row * capacity + member`, a row being one calendar day in play. The stops of a slot lie
side by side in one pool, in a segment of 4, 8, 16 ... places; a segment that is too small is swapped for one of twice the size.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_PLACE: Final = ("x", "y", "z", "lat", "lng", "cos")


def _fields(kinds: dict[str, str]) -> np.dtype[Any]:
    return np.dtype([(name, kind) for kind, names in kinds.items() for name in names.split()], align=True)


SLOT: Final = _fields(
    {
        # Reference position; end of the route; seconds per metre; start of the day; end of the shift; end of the day as it stands;
        # travel to the route's end; capacity; load at the start, at the end and at most; longest gap between stops (free seconds).
        "f8": "x y z lat lng cos ex ey ez elat elng ecos per_m start shift_end end end_leg capacity load0 load1 load_max",
        # Stops; their segment; its size class; first position a job may take; calendar order.
        "i4": "n offset size floor",
        # Has a reference, has an end; takes jobs at all (eligible, on shift, has a reference, not past); and why not.
        "u1": "placed ended open eligible on_shift past today",
    }
)

STOP: Final = _fields(
    {
        # Place; window; time on site; items; start and end of work as it stands; latest start that keeps the rest as good;
        # travel from the place before; most load on the legs up to this stop, and on those after it; order in the day route.
        "f8": "x y z lat lng cos opens closes on_site drop pick start leave latest leg load_before load_after number scheduled created",
        "i8": "handle",
        # Last stop with a place, up to and with this one; -1 for the reference position.
        "i4": "carry",
        "u1": "placed under_way",
    }
)

JOB: Final = _fields(
    {
        "f8": "x y z lat lng cos opens closes on_site drop pick number scheduled created",
        "i8": "handle",
        # Row of the day, TODAY or PAST; what it asks for (bits, the team first when `team` is 1) and whom it excludes: begin and count
        # in the lists beside.
        "i4": "row team need needs excluded excludes",
        "u1": "placed under_way",
    }
)

FOUND: Final = _fields(
    {
        "f8": "distance added start",
        # Member or -1; row of the day; position; how many exact fit tests the search made.
        "i4": "member row position tests",
    }
)

TODAY: Final = -1
"""`JOB.row` of a job for each member's own today."""

PAST: Final = -2
"""`JOB.row` of a job on a day that is past for every member."""

TOP, FREE, CLASSES = 0, 1, 40
"""Places in `State.heap`: first unused stop of the pool, then per size class the first free segment."""


class State(NamedTuple):
    """Everything the kernels share.

    Attributes:
        slots: SLOT, (rows * capacity,).
        stops: STOP, (pool,).
        heap: the pool's bookkeeping.
        traits: teams and skills of each member as bits, (capacity, words).
    """

    slots: Records
    stops: Records
    heap: Ints
    traits: Words


def new_state(capacity: int, rows: int, words: int, pool: int) -> State:
    """An empty state."""
    heap = np.full(FREE + CLASSES, -1, dtype=np.int64)
    heap[TOP] = 0
    return State(
        slots=np.zeros(capacity * rows, dtype=SLOT),
        stops=np.zeros(pool, dtype=STOP),
        heap=heap,
        traits=np.zeros((capacity, words), dtype=np.uint64),
    )


def longer(array: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """The array with more rows, zeros behind."""
    grown = np.zeros((length, *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown
