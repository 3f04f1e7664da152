"""What the tracker gets systematically wrong about one person, and its correction.

The fit moves every training frame's pose until the pictures agree; the part of that movement
which the tracked numbers predict is a property of tracker and person, and is taken out of every
later track of that person.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def calibrated(
    matrix: Array,  # [11, 10]: correction = [motion, 1] @ matrix
    motion: Array,  # [F, 10] as tracked: rotation (rad), translation (m), torso
) -> Array:  # [F, 10] float32
    """The motion as this person's avatar understands it."""
    ones = np.ones((len(motion), 1))
    correction = np.concatenate([motion, ones], axis=1) @ np.asarray(matrix, np.float64)
    return np.asarray(motion + correction, np.float32)


def learned(
    motion: Array,  # [F, 10] as tracked
    corrections: Array,  # [F, 10] what the fit added
    ridge: float = 30.0,  # frames' worth of belief that there is nothing to correct
) -> Array:  # [11, 10]
    """The matrix for `calibrated`: ridge regression on standardised motion."""
    mean, scale = motion.mean(0), motion.std(0) + 1e-9
    unit = (motion - mean) / scale
    gram = unit.T @ unit + ridge * np.eye(unit.shape[1])
    slopes = np.linalg.solve(gram, unit.T @ (corrections - corrections.mean(0))) / scale[:, None]
    constant = corrections.mean(0) - mean @ slopes
    return np.concatenate([slopes, constant[None]]).astype(np.float32)
