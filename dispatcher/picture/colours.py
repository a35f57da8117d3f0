"""Colours of members: a dozen, dealt so that those who are near each other differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dispatcher.picture.scene import Place

LIGHT = (
    "#2563c9", "#0f8a5f", "#b4650a", "#7b3fc4", "#0e86a3", "#a8437a",
    "#55771a", "#4a55c8", "#8a5a3c", "#1d7d86", "#94701a", "#5b6b7c",
)  # fmt: skip
"""On a light ground."""

DARK = (
    "#6ea8ff", "#3ecf97", "#f0a64b", "#b794f6", "#45c7e3", "#f08fc0",
    "#a5cc55", "#97a1ff", "#cf9f7d", "#58c9cf", "#d9ba5c", "#a3b3c4",
)  # fmt: skip
"""The same hues on a dark ground."""

BAD_LIGHT = ("#c2352c", "#d0680a", "#93319f", "#7d6208", "#b51f5f", "#59626d")
"""Of jobs without a member, by how often their reason comes; on a light ground."""

BAD_DARK = ("#ff8478", "#ffad5c", "#e196ee", "#d6bb55", "#ff8fb8", "#a9b4c0")
"""The same on a dark ground."""

NEIGHBOURS = 11
"""So many of the nearest ones are looked at: one fewer than there are colours, so that one is always free."""


def deal(places: Sequence[Place | None]) -> list[int]:
    """A number of a colour for each member, another one than that of its nearest neighbours dealt before it."""
    dealt: list[int] = []
    known = np.full((len(places), 2), np.nan)
    for number, place in enumerate(places):
        free = number % len(LIGHT)
        if place is not None:
            squeeze = float(np.cos(np.radians(place[0])))
            away = (known[:number] - place) * (1.0, squeeze)
            square = (away**2).sum(axis=1)
            near = [int(k) for k in _least(square, NEIGHBOURS) if not np.isnan(square[k])]
            taken = [dealt[k] for k in near]
            left = [colour for colour in range(len(LIGHT)) if colour not in taken]
            free = left[number % len(left)]
            known[number] = place
        dealt.append(free)
    return dealt


def _least(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.intp]:
    """Numbers of the least values, in no order; NaN is more than any."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(np.where(np.isnan(values), np.inf, values), count)[:count]
