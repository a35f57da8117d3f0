"""The shape of the tree: scikit-learn's BallTree over places, made here or by whoever the caller appoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Planter: TypeAlias = Callable[[npt.NDArray[np.float64], int], tuple[npt.NDArray[np.int64], npt.NDArray[Any]]]
"""From places (latitude, longitude in radians, shape (n, 2)) and a leaf size to the tree's order of the places, shape
(n,), and its nodes: records with `idx_start`, `idx_end` and `is_leaf`, in the order of `BallTree.get_arrays()`.

Loading scikit-learn takes a second and over 100 MB, and building holds the GIL: a caller may have it done elsewhere.
"""


def ball_tree(places: npt.NDArray[np.float64], leaf_size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """The planter of this process: scikit-learn's `BallTree` with the haversine metric."""
    from sklearn.neighbors import BallTree  # noqa: PLC0415 - takes a second to import, and few members do without

    _, order, nodes, _ = BallTree(places, leaf_size=leaf_size, metric="haversine").get_arrays()
    return np.asarray(order), np.asarray(nodes)
