"""How far a person's expressions go: their principal axes in the enrolment, and the end of each.

An avatar knows nothing of expressions that no frame of its enrolment came near.  A tracker still
reports them, most of all where a head is held otherwise than it was then: small axes, along which
the enrolment hardly moved, come out many deviations away.  As in active shape models (Cootes et
al., CVIU 1995, section 3.3: each axis within three deviations), what lies beyond an axis's end is
taken for its end.

K: numbers of an expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
DEVIATIONS = 3.0  # of an axis, to its end


@dataclass(frozen=True)
class Habit:
    """centre: [K].  ends: [K, K], column j from the centre to the end of axis j."""

    centre: Array
    ends: Array

    @staticmethod
    def of(codes: Array) -> Habit:
        """Of the enrolment's expressions [F, K]."""
        codes = np.asarray(codes, np.float64)
        centre = codes.mean(axis=0)
        spread, axes = np.linalg.eigh(np.atleast_2d(np.cov(codes - centre, rowvar=False)))
        # An axis that nothing moved along still has a direction.
        deviation = np.sqrt(np.maximum(spread, 1e-6 * max(spread.max(), 1e-12)))
        return Habit(
            centre.astype(np.float32), (axes * (DEVIATIONS * deviation)).astype(np.float32)
        )

    def within(self, codes: Array) -> Array:
        """Expressions [F, K], each as near as its axes' ends allow.  float32."""
        codes = np.asarray(codes, np.float32)
        along = np.linalg.solve(self.ends.astype(np.float64), (codes - self.centre).T.astype(float))
        beyond = np.clip(along, -1.0, 1.0) - along
        return np.asarray(codes + (self.ends @ beyond).T, np.float32)
