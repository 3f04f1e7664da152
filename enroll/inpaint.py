"""What is not known of a picture, from what is around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def inpainted(picture: Array, known: Array) -> Array:
    """A picture [S, S, C] whose unknown places take after ever larger surroundings of theirs, and
    whose known ones [S, S] bool stay: push-pull (Gortler et al., The Lumigraph, SIGGRAPH 1996,
    section 3.4).  The picture as it is where nothing is known.  float32."""
    import cv2

    picture = np.asarray(picture, np.float32)
    weight = known.astype(np.float32)
    if not known.any():
        return picture
    coarser = [(picture * weight[..., None], weight)]
    while min(coarser[-1][1].shape) > 1 and (coarser[-1][1] == 0).any():
        height, width = coarser[-1][1].shape
        half = (max(width // 2, 1), max(height // 2, 1))
        total, share = (cv2.resize(x, half, interpolation=cv2.INTER_AREA) for x in coarser[-1])
        coarser.append((np.asarray(total), np.asarray(share)))
    filled = coarser[-1][0] / np.maximum(coarser[-1][1], 1e-6)[..., None]
    for total, share in reversed(coarser[:-1]):
        filled = cv2.resize(filled, share.shape[::-1]).reshape(total.shape)
        mean = total / np.maximum(share, 1e-6)[..., None]
        filled = filled + np.minimum(share, 1.0)[..., None] * (mean - filled)
    return np.where(known[..., None], picture, filled)
