"""What eyes and mouth do in a picture, told by a tracker's landmarks [F, 478, 2] in pixels.

Each is [F, N, V]: N eyes (subject's right, left) or mouths, in each a number or a vector, in
pixels; NaN where it cannot be told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enroll.eyes import CORNERS, IRISES, LIDS

OPEN = 0.15  # of an eye's width: below, the lids hide the iris, and a tracker guesses

# Of the face mesh: pairs on the inner edges of upper and lower lip, the middle and beside it.
_INNER_LIPS = ((82, 87), (13, 14), (312, 317))

Array = NDArray[np.float64]


def gaze(points: NDArray[Any]) -> Array:
    """[F, 2, 2]: how far an iris is from the middle between the eye's corners, right and down;
    NaN of an eye that is shut."""
    outer, inner = (points[:, list(corner)].astype(np.float64) for corner in zip(*CORNERS))
    off = points[:, list(IRISES)] - 0.5 * (outer + inner)
    width = np.linalg.norm(outer - inner, axis=2, keepdims=True)
    return np.where(lids(points) > OPEN * width, off, np.nan)


def lids(points: NDArray[Any]) -> Array:
    """[F, 2, 1]: from the upper to the lower lid."""
    return np.stack([_gap(points, pairs) for pairs in LIDS], axis=1)


def lips(points: NDArray[Any]) -> Array:
    """[F, 1, 1]: from the inner edge of the upper lip to that of the lower one."""
    return _gap(points, _INNER_LIPS)[:, None]


def _gap(points: NDArray[Any], pairs: tuple[tuple[int, int], ...]) -> Array:
    """[F, 1], the mean of several pairs' distances."""
    above, below = (points[:, list(side)].astype(np.float64) for side in zip(*pairs))
    return np.asarray(np.linalg.norm(below - above, axis=2).mean(axis=1, keepdims=True))
