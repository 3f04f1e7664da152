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
        rows = np.searchsorted(self.time, time)
        if np.any(rows >= len(self.time)) or np.any(self.time[rows] != time):
            raise InputError(
                "the track and the video do not show the same frames",
                "Track this very video again: facewire track VIDEO -o VIDEO.track",
            )
        return Crops(self.images[rows], self.time[rows])


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


def read_crops(frames: Iterable[Any], window: Window, size: int) -> Crops:
    """Every frame of an open video (`.image`, `.time`) -> crops of size x size."""
    images, times = [], []
    for frame in frames:
        images.append(cut_window(frame.image, window, size))
        times.append(frame.time)
    if not images:
        raise InputError("the video holds no frame", "Check it with: ffmpeg -i VIDEO -f null -")
    return Crops(np.stack(images), np.asarray(times, np.int64))
