"""Which square of a camera's picture is shown of somebody without an avatar."""

from __future__ import annotations

import numpy as np

from avatar.errors import MissingError
from avatar.face import Window
from enroll.capture import Frame
from service.fallback.crops import head_window

_AGAIN = 1_000_000  # us until a face is looked for again


class Framing:
    """The largest square about the first face that is seen, from then on the same: a window that
    follows the head would move the room behind it.  The middle until a face is there."""

    def __init__(self) -> None:
        self._window: Window | None = None
        self._found = False
        self._looked = -_AGAIN

    def window(self, frame: Frame) -> Window:
        height, width = frame.image.shape[:2]
        known = self._window
        if known is None or (known.width, known.height) != (width, height):
            whole = np.array([[0.0, 0.0, width, height]])
            known = self._window = head_window(whole, width, height)
            # A square picture is shown whole, whoever is in it.
            self._found, self._looked = width == height, -_AGAIN
        if not self._found and frame.time - self._looked >= _AGAIN:
            self._looked = frame.time
            boxes = _faces(frame)
            if len(boxes):
                sizes = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
                largest = boxes[int(np.argmax(sizes))][None]
                known = self._window = head_window(largest, width, height)
                self._found = True
        return known


def _faces(frame: Frame) -> np.ndarray:
    """[K, 4] boxes; none where nothing here can look for them."""
    from enroll.mesh import FaceFinder

    try:
        finder = FaceFinder()
    except MissingError:
        return np.zeros((0, 4))
    try:
        return np.asarray(finder.find(frame.image))
    finally:
        finder.close()
