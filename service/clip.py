"""Parts of a video by time, and the picture that is shown at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enroll.capture import Frame, Video


class Clip:
    """The frames of a video from one time to another, both included (us); itself a `Video`."""

    def __init__(self, video: Video, first: int, last: int) -> None:
        self.info = video.info
        self._video = video
        self._first, self._last = first, last

    @property
    def damaged(self) -> bool:
        return self._video.damaged

    @property
    def warnings(self) -> list[str]:
        return self._video.warnings

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._video:
            if frame.time > self._last:
                return
            if frame.time >= self._first:
                yield frame

    def close(self) -> None:
        self._video.close()


def pictures_at(frames: Iterable[Frame], times: NDArray[Any]) -> Iterator[Frame]:
    """For each of the rising times, the frame shown nearest to it; of two, the earlier.

    Goes through the frames once and holds two of them.
    """
    left = iter(frames)
    here = next(left, None)
    ahead = next(left, None)
    for time in np.asarray(times).tolist():
        while here is not None and ahead is not None and ahead.time - time < time - here.time:
            here, ahead = ahead, next(left, None)
        if here is None:
            return
        yield here
