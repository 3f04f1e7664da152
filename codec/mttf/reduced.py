"""Smaller pictures by means over whole squares of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def reduced(picture: Picture, side: int) -> Picture:
    """[S, S, 3] -> [side, side, 3], side a whole fraction of S."""
    count = picture.shape[0] // side
    if count == 1:
        return picture
    parts = picture.reshape(side, count, side, count, 3).astype(np.float32)
    return np.rint(parts.mean(axis=(1, 3))).astype(np.uint8)
