"""Windows of a tracked video's frames, of which some are looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from avatar.face import FaceTrack


def spread(seen: NDArray[Any], count: int) -> list[int]:
    """At most `count` of the rows that are `seen` [F], evenly over them all, rising."""
    rows = np.flatnonzero(seen)
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)
    return [int(row) for row in rows[places]]


def crops_of_video(
    source: str | Path, track: FaceTrack, side: int, frames: slice | None
) -> Callable[[int], NDArray[np.uint8]]:
    """Gives the tracked window of a row, [side, side, 3]; of rows that rise."""
    from enroll.capture import open_video
    from enroll.crops import cut_window

    shown = enumerate(open_video(Path(source), frames=frames))

    def crop(row: int) -> NDArray[np.uint8]:
        for index, frame in shown:
            if index == row:
                return cut_window(frame.image, track.window, side)
        raise InputError(
            "the video has fewer frames than its track", "Track this very video again."
        )

    return crop
