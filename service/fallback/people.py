"""Who is who among clips, by MobileFaceNet's descriptor, so that a split is one by person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.assets import find_asset

SAME_PERSON = 0.45  # cosine above which two clips show one person
# Eyes, nose tip and corners of the mouth in the 112x112 crop of ArcFace's alignment.
_PLACES = np.array([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])
_POINTS = [468, 473, 4, 61, 291]  # the same five in MediaPipe's mesh with irises

Array = NDArray[Any]


class Describer:
    """Raises MissingError where $FACEWIRE_MODELS does not hold the network."""

    def __init__(self) -> None:
        import cv2

        self._cv2: Any = cv2
        self._network = cv2.dnn.readNetFromONNX(str(find_asset("MobileFaceNet.onnx")))

    def describe(self, image: NDArray[np.uint8], points: Array) -> Array:
        """image: [H, W, 3] RGB.  points: [478, 3] landmarks in pixels -> [128] of length 1."""
        cv2 = self._cv2
        five = points[_POINTS, :2].astype(np.float64)
        place, _ = cv2.estimateAffinePartial2D(five, _PLACES, method=cv2.LMEDS)
        crop = cv2.warpAffine(image, place, (112, 112), flags=cv2.INTER_AREA).astype(np.float32)
        crop = (crop / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        self._network.setInput(crop.transpose(2, 0, 1)[None].astype(np.float32))
        out = self._network.forward().ravel()
        return np.asarray(out / np.linalg.norm(out), np.float32)


def same_people(signs: Mapping[str, Array]) -> dict[str, int]:
    """Descriptors by clip -> a person's number by clip: clips joined by a chain of likenesses."""
    names = sorted(signs)
    person = np.arange(len(names))
    likeness = np.stack([signs[n] for n in names]) @ np.stack([signs[n] for n in names]).T
    for i, j in zip(*np.nonzero(likeness > SAME_PERSON), strict=True):
        person[person == person[j]] = person[i]
    numbers = np.unique(person, return_inverse=True)[1]
    return dict(zip(names, numbers.tolist(), strict=True))
