"""The most probable course of corrections, given what every frame says and how slowly they change.

A Gaussian Markov chain: its normal equations are block tridiagonal and are solved by one sweep
forwards and one back (the information form of Rauch, Tung and Striebel, AIAA Journal 1965).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def smoothest(
    curvature: Array,  # [D, D] of every frame's own term
    slopes: Array,  # [F, D] its gradient at `at`
    at: Array,  # [F, D] corrections so far
    prior: Array,  # [D, D] precision of a correction around none
    steady: Array,  # [D, D] precision of its change from frame to frame
    before: Array | None = None,  # [D] of the frame before the first; None: nothing is known
) -> Array:  # [F, D]
    """Minimises sum_t [c(x_t) + x_t' P x_t / 2 + (x_t - x_{t-1})' S (x_t - x_{t-1}) / 2] over all
    frames, with c's second-order model at `at`."""
    own = curvature + prior
    pull: Array = at @ curvature - slopes
    gains, means = np.empty((len(at), *prior.shape)), np.empty(at.shape)
    for t in range(len(at)):
        matrix: Array = own.copy()
        right: Array = pull[t].copy()
        if t + 1 < len(at):
            matrix += steady
        if t > 0:
            matrix += steady - steady @ gains[t - 1]
            right += steady @ means[t - 1]
        elif before is not None:
            matrix += steady
            right += steady @ before
        solved = np.linalg.solve(matrix, np.concatenate([steady, right[:, None]], axis=1))
        gains[t], means[t] = solved[:, :-1], solved[:, -1]
    out = means
    for t in range(len(at) - 2, -1, -1):
        out[t] += gains[t] @ out[t + 1]
    return out
