"""Whether what is behind the person stands still.

The person is whatever a matting network calls so in any frame of the reference, and a margin.
FLICKER is by how many levels the rest of the picture varies over time, where the reference's own
variation, a camera's noise, is no excuse: a rendered wall has none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.metrics.metric import Frames, Metric
from bench.metrics.tracked import missing
from bench.regions import WHOLE

PERSON = 0.1  # of a matte: more may be person
MARGIN = 8  # 1/256 of the picture about it
_LEAST = 0.02  # of the picture must be background

Array = NDArray[np.float64]


def flicker(reference: Frames, pictures: Frames) -> Array:
    """[F] root mean square difference to the clip's mean, levels of 255, over the background; NaN
    where there is hardly any."""
    behind = background_of(reference)
    if behind.mean() < _LEAST:
        return np.full(len(reference), np.nan)
    seen = pictures[:, behind].astype(np.float64)  # [F, P, 3]
    return np.asarray(np.sqrt(np.square(seen - seen.mean(axis=0)).mean(axis=(1, 2))))


def background_of(frames: Frames) -> NDArray[np.bool_]:
    """[H, W]: what is never person in a clip [F, H, W, 3]."""
    import cv2

    from enroll.matte import SelfieMatte

    height, width = frames.shape[1:3]
    person = np.zeros((height, width), np.float32)
    network = SelfieMatte()
    try:
        for image in frames:
            matte = cv2.resize(network.matte(image), (width, height))
            person = np.maximum(person, matte)
    finally:
        network.close()
    side = 2 * round(MARGIN * max(height, width) / 256) + 1
    grown = cv2.dilate((person > PERSON).astype(np.uint8), np.ones((side, side), np.uint8))
    return np.asarray(grown == 0)


STILLNESS = Metric(
    "FLICKER", "of 255", False, "variation behind the person", flicker, missing, (WHOLE,), least=32
)
