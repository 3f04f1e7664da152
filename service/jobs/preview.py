"""What a fit has reached, as one picture: a frame that it has not learned from, beside its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from enroll.fit import Fit

MOST = 192  # pixels a side


def side_by_side(fit: Fit) -> NDArray[np.uint8]:
    """[size, 2 * size, 3] RGB: filmed on the left, the avatar's on the right."""
    rows = fit.held_out if len(fit.held_out) else fit.rows
    row = int(rows[len(rows) // 2])
    size = min(MOST, int(fit.images.shape[1]))
    step = fit.images.shape[1] / size
    places = ((np.arange(size) + 0.5) * step).astype(int)
    filmed = fit.images[row].numpy()[places][:, places]
    return np.concatenate([filmed, fit.picture_of(row, size)], axis=1)


def png(picture: NDArray[np.uint8]) -> bytes:
    """[h, w, 3] RGB as a PNG's bytes."""
    import cv2

    _, data = cv2.imencode(".png", picture[:, :, ::-1])
    return bytes(data)
