"""Who is person and who is background: a soft matte of a picture."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from enroll.landmarks import quiet_mediapipe

INPUT = 256  # the network's own input size: a larger picture only costs time
WALL = 30  # of 255: below it a pixel is surely not the person's


class MatteSource(Protocol):
    def matte(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """image: [H, W, 3] RGB -> [h, w] of the same aspect, 1 = person."""

    def close(self) -> None: ...


class SelfieMatte:
    """MediaPipe's selfie segmentation, model 0 (its model 1 leaks into the background)."""

    def __init__(self) -> None:
        mediapipe = quiet_mediapipe()
        import cv2

        self._cv2: Any = cv2
        self._network = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(
            model_selection=0
        )

    def matte(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        scale = INPUT / min(image.shape[:2])
        if scale < 1:
            image = self._cv2.resize(
                image, None, fx=scale, fy=scale, interpolation=self._cv2.INTER_AREA
            )
        return np.asarray(self._network.process(image).segmentation_mask, np.float32)

    def close(self) -> None:
        self._network.close()
