"""The part of a reference picture that a rendered picture shows, at the same scale in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.face import Window
from enroll.crops import cut_window

Array = NDArray[Any]


@dataclass(frozen=True)
class Region:
    """window: of the reference, drawn `side` pixels large at (left, top) of pictures of
    width x height.  None: both pictures are the same whole."""

    width: int
    height: int
    window: Window | None = None
    left: int = 0
    top: int = 0
    side: int = 0

    @staticmethod
    def whole(width: int, height: int) -> Region:
        return Region(width, height)

    @staticmethod
    def of_window(window: Window, width: int, height: int, fit: str) -> Region:
        """The window's square in a picture of width x height: all of it inside, or ("cover")
        filling it, in the middle either way."""
        side = max(width, height) if fit == "cover" else min(width, height)
        return Region(width, height, window, (width - side) // 2, (height - side) // 2, side)

    @property
    def _seen(self) -> tuple[slice, slice]:
        """Rows and columns of the rendered picture in which the window is."""
        if self.window is None:
            return slice(0, self.height), slice(0, self.width)
        return (
            slice(max(self.top, 0), min(self.top + self.side, self.height)),
            slice(max(self.left, 0), min(self.left + self.side, self.width)),
        )

    def rendered(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What of a rendered picture is compared."""
        return picture[self._seen]

    def filmed(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same part of a reference picture, at the rendered picture's scale."""
        if self.window is None:
            return picture
        rows, columns = self._seen
        square = cut_window(picture, self.window, self.side)
        return square[
            rows.start - self.top : rows.stop - self.top,
            columns.start - self.left : columns.stop - self.left,
        ]

    def face_box(self, box: Array, tracked: Window) -> Array:
        """A face box (left, top, right, bottom) in the window it was tracked in -> 0..1 of the
        part that is compared."""
        corner = np.array([tracked.left, tracked.top] * 2)
        pixels = np.asarray(box, np.float64) * tracked.side + corner  # of the reference
        if self.window is None:
            return pixels / np.array([self.width, self.height] * 2)
        drawn = (pixels - np.array([self.window.left, self.window.top] * 2)) * (
            self.side / self.window.side
        )
        rows, columns = self._seen
        size = np.array([columns.stop - columns.start, rows.stop - rows.start] * 2)
        start = np.array([columns.start - self.left, rows.start - self.top] * 2)
        return (drawn - start) / size
