"""What a tracker's numbers are off by from frame to frame while nothing moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.face import EXPRESSION, StateLayout


@dataclass(frozen=True)
class TrackerNoise:
    """Deviations, as measured on a still photograph with 3 levels of a camera's noise: in those of
    the enrolment for code, gaze and lids, else rad, m, window sides."""

    code: float = 0.17
    rotation: float = 0.0015
    translation: tuple[float, float, float] = (0.0001, 0.0001, 0.0014)
    gaze: float = 0.2
    lids: float = 0.16
    torso: tuple[float, float, float, float] = (0.0001, 0.0001, 0.00025, 0.0004)

    def of(self, layout: StateLayout, statistics: StateStatistics) -> NDArray[Any]:
        """[D] in the states' units."""
        scale = np.asarray(statistics.scale, np.float64)
        out = np.ones(layout.width)
        for name, columns in layout.groups.items():
            own = np.asarray(getattr(self, name), np.float64)
            if name in EXPRESSION:
                own = own * np.maximum(scale[columns], 1e-4)
            if columns.stop > columns.start:
                out[columns] = own
        return out
