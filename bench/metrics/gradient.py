"""What FSIM and VSI share: pictures brought to about 256 pixels, and Scharr's gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIDE = 256  # pixels: both papers average over squares until the shorter side has about as many


def averaged(image: NDArray[Any], padded: bool = False) -> NDArray[np.float64]:
    """[H, W, C] -> means over squares of round(shorter side / 256), what is left over cut off.
    padded: with the border repeated by half a square before, and by what centres it behind."""
    side = max(1, round(min(image.shape[:2]) / _SIDE))
    if side == 1 and not padded:
        return np.asarray(image, np.float64)
    if padded and side // 2:
        reach = (side // 2, (side - 1) // 2)
        image = np.pad(image, (reach, reach, (0, 0)), mode="edge")
    height, width = image.shape[0] // side * side, image.shape[1] // side * side
    blocks = image[:height, :width].reshape(height // side, side, width // side, side, -1)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float64)


def scharr(plane: NDArray[Any]) -> NDArray[np.float64]:
    """[H, W] gradient magnitude by Scharr's operator (3, 10, 3) / 16, black beyond the border."""
    framed = np.pad(plane, 1)
    rows = 3 * framed[:-2] + 10 * framed[1:-1] + 3 * framed[2:]
    columns = 3 * framed[:, :-2] + 10 * framed[:, 1:-1] + 3 * framed[:, 2:]
    across, down = rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]
    return np.asarray(np.hypot(across, down) / 16)
