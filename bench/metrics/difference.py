"""L1, as 003's Table 1 has it: mean absolute difference of levels on the scale 0..1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def l1(reference: NDArray[Any], picture: NDArray[Any]) -> float:
    """Of pictures [H, W, C] in 0..255: 0 for equal ones, 1 for black against white."""
    difference = np.abs(np.asarray(reference, np.float32) - np.asarray(picture, np.float32))
    return float(np.mean(difference, dtype=np.float64)) / 255
