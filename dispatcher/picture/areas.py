"""Parts of a plan that lie far from each other, such as several towns: each is worth a map of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

CELLS = 14
"""The sheet's longer side is cut into so many; what touches, corners too, belongs together."""
MOST = 9
"""Maps in one image; more areas than that are no towns, but one wide plan."""
SPARSE = 0.25
"""Areas that fill more of the sheet than this are drawn on one map all the same."""


def areas(places: npt.NDArray[np.float64], together: Iterable[Sequence[int]] = ()) -> list[npt.NDArray[np.intp]]:
    """Split places into areas.

    Args:
        places: (n, 2), on the sheet.
        together: numbers of places that must not be parted, such as the stops of a route.

    Returns:
        Numbers of the places of each area, the largest first; one area with all when they lie together.
    """
    everything = [np.arange(len(places))]
    if len(places) < 2:
        return everything
    low = places.min(axis=0)
    side = float((places.max(axis=0) - low).max()) / CELLS
    if side <= 0:
        return everything
    cells = np.floor((places - low) / side).astype(np.int64)
    of = _labels(cells)
    join = np.arange(int(of.max()) + 1)
    for group in together:
        first = join[of[list(group)]] if len(group) else join[:0]
        join[np.isin(join, first)] = first.min(initial=len(join))
    of = join[of]
    found = sorted((np.flatnonzero(of == each) for each in np.unique(of)), key=lambda which: (-len(which), which[0]))
    filled = sum(float(np.prod(np.ptp(cells[which], axis=0) + 1)) for which in found)
    whole = float(np.prod(np.ptp(cells, axis=0) + 1))
    return found if 2 <= len(found) <= MOST and filled <= SPARSE * whole else everything


def _labels(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A number for each cell, the same for cells that touch each other or are linked by such."""
    unique, which = np.unique(cells, axis=0, return_inverse=True)
    left = {(int(x), int(y)): number for number, (x, y) in enumerate(unique)}
    label = np.zeros(len(unique), dtype=np.int64)
    count = 0
    while left:
        here, number = left.popitem()
        waiting = [(here, number)]
        while waiting:
            (x, y), number = waiting.pop()
            label[number] = count
            near = [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (x + dx, y + dy) in left]
            waiting += [(cell, left.pop(cell)) for cell in near]
        count += 1
    return label[which.ravel()]
