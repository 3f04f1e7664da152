"""A tracked video's states, refined against the avatar's own picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from avatar.avatar import Avatar
from avatar.errors import InputError
from avatar.face import FaceStates, FaceTrack
from enroll.capture import open_video
from enroll.crops import cut_window
from service.refine import EFFORTS, Refiner

_CHUNK = 250  # frames in memory at once: ten seconds

Progress = Callable[[float, float], None]


def refined(
    states: FaceStates,
    track: FaceTrack,
    source: str | Path,
    avatar: Avatar,
    effort: int,
    frames: slice | None = None,
    progress: Progress | None = None,
) -> FaceStates:
    """The states of a track, made better by looking at the video once more.

    effort: 0 to 3, of which 0 changes nothing.  frames: the range that was tracked.  Raises
    InputError for another effort, or where the video is not the one that was tracked.
    """
    if effort == 0:
        return states
    if effort not in EFFORTS:
        raise InputError(f"there is no effort {effort}", "Choose 0, 1, 2 or 3.")
    refiner = Refiner(avatar, EFFORTS[effort])
    values, done = states.values.copy(), 0
    video = open_video(Path(source), frames=frames)
    pictures = _windows(iter(video), track, refiner.size)
    while done < len(states):
        images = list(islice(pictures, min(_CHUNK, len(states) - done)))
        if not images:
            raise InputError(
                "the video has fewer frames than its track", "Track this very video again."
            )
        rows = slice(done, done + len(images))
        values[rows] = refiner.refine(
            np.stack(images), track.mask[rows], values[rows], states.visible[rows]
        )
        done += len(images)
        if progress is not None:
            progress(done, len(states))
    return replace(states, values=values)


def _windows(video: Iterator[Any], track: FaceTrack, size: int) -> Iterator[np.ndarray]:
    for frame, time in zip(video, track.time):
        if frame.time != time:
            raise InputError(
                "the track and the video do not show the same frames",
                "Track this very video again.",
            )
        yield cut_window(frame.image, track.window, size)
