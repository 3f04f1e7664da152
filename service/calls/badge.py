"""The badge that every rendered picture carries: this is synthesised."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

TEXT = "synthesised"


def badged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[H, W, 3] RGB with the badge in the lower left corner, a twentieth of the height."""
    height, width = picture.shape[:2]
    badge = _badge(badge_height(height))
    high, wide = min(badge.shape[0], height), min(badge.shape[1], width)
    out = picture.copy()
    out[height - high :, :wide] = badge[:high, :wide]
    return out


def badge_height(height: int) -> int:
    """Of the badge on a picture of so many lines."""
    return max(9, height // 20)


@cache
def _badge(height: int) -> NDArray[np.uint8]:
    import cv2

    scale = height / 30
    (width, _), _ = cv2.getTextSize(TEXT, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    made = np.zeros((height, width + height, 3), np.uint8)
    made[:] = (180, 83, 9)
    place = (height // 2, round(height * 0.75))
    cv2.putText(made, TEXT, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return made
