"""Meshes as the fallback sends them: one person's face and body in the coded square, steadied."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.face import Window
from enroll.landmarks import LandmarkSource
from enroll.smooth import KalmanFilter, Motion
from service.fallback.body import BodyReader

Array = NDArray[Any]
_NOISE = 0.001  # of a landmark, in sides of the square
_DRIVE = 0.2  # sides a second^1.5
_GAP = 0.5  # seconds without a face after which nothing of before leads on


class FaceReader:
    """Takes the frames in order."""

    def __init__(
        self, source: LandmarkSource | None = None, body: BodyReader | None = None
    ) -> None:
        """source: MediaPipe's face mesh by default, made when first asked."""
        self._source, self._body = source, body or BodyReader()
        self._filter: KalmanFilter | None = None
        self._seen = 0

    def see(self, image: NDArray[np.uint8], time: int, window: Window) -> Array | None:
        """The mesh [482, 2] in a frame, 0 .. 1 of the window, the body's marks behind the face's
        (`codec.mttf.guide`); None where no face is seen.  time: microseconds."""
        if self._source is None:
            from enroll.mesh import MediaPipeMesh

            self._source = MediaPipeMesh()
        found = self._source.find(image)
        return self.steadied(None if found is None else found.points, image, time, window)

    def steadied(
        self, points: Array | None, image: NDArray[np.uint8], time: int, window: Window
    ) -> Array | None:
        """The same of landmarks [478, 2+] that were found already, in the frame's pixels."""
        if points is None:
            return None
        face = (points[:, :2] - [window.left, window.top]) / window.side
        placed = np.concatenate([face, self._body.see(image, face, window)])
        if self._filter is None:
            each = np.ones(placed.size)
            self._filter = KalmanFilter(Motion(_NOISE * each, _DRIVE * each))
        if time - self._seen > _GAP * 1e6:
            self._filter.reset()
        self._seen = time
        smooth = self._filter.step(time / 1e6, placed.ravel())
        return smooth.reshape(placed.shape).astype(np.float32)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
