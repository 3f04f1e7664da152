"""The pictures that a fit learns from: the avatar's window cut from every frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from avatar.face import Window


@dataclass(frozen=True)
class Crops:
    """Pictures of the window, F frames of S x S pixels."""

    images: NDArray[np.uint8]  # [F, S, S, 3] RGB
    time: NDArray[np.int64]  # [F] microseconds

    def __len__(self) -> int:
        return len(self.time)

    @property
    def size(self) -> int:
        return int(self.images.shape[1])

    def at(self, time: NDArray[np.int64]) -> Crops:
        """The crops shown at the given times, in that order."""
        if np.array_equal(self.time, time):
            return self  # a copy would be gigabytes
        rows = np.searchsorted(self.time, time)
        if np.any(rows >= len(self.time)) or np.any(self.time[rows] != time):
            raise other_frames()
        return Crops(self.images[rows], self.time[rows])


def other_frames() -> InputError:
    return InputError(
        "the track and the video do not show the same frames",
        "Track this very video again: facewire track VIDEO -o VIDEO.track",
    )


def cut_window(image: NDArray[np.uint8], window: Window, size: int) -> NDArray[np.uint8]:
    """One source picture [H, W, 3] -> the window at size x size, averaged where it shrinks.

    What the window shows beyond the picture repeats the picture's border.
    """
    import cv2

    height, width = image.shape[:2]
    left, top = round(window.left), round(window.top)
    side = max(1, round(window.side))
    right, bottom = left + side, top + side
    part = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if part.shape[:2] != (side, side):
        part = cv2.copyMakeBorder(
            image,
            max(-top, 0),
            max(bottom - height, 0),
            max(-left, 0),
            max(right - width, 0),
            cv2.BORDER_REPLICATE,
        )[max(top, 0) : max(top, 0) + side, max(left, 0) : max(left, 0) + side]
    if side == size:
        return np.ascontiguousarray(part)
    method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    resized: NDArray[Any] = cv2.resize(part, (size, size), interpolation=method)
    return resized


def read_crops(
    frames: Iterable[Any],  # an open video: `.image`, `.time`
    window: Window,
    size: int,
    times: NDArray[np.int64],
    into: NDArray[np.uint8] | None = None,
) -> Crops:
    """The crops at `times` [F], which rise.  into: [F, size, size, 3], to be filled; no picture is
    held twice.  Raises InputError where the video shows none at one of them."""
    images = np.empty((len(times), size, size, 3), np.uint8) if into is None else into
    row = 0
    for frame in frames:
        if row < len(times) and frame.time == times[row]:
            images[row] = cut_window(frame.image, window, size)
            row += 1
    if row < len(times):
        raise other_frames()
    return Crops(images, times)
