"""The numbers of a frame as the codec's face states: one quantiser, one entropy coder.

The coder is that of docs/bitstream.md, all integers: a frame is predicted from the frames before
it, never from what a network computes, so that two machines cannot come to differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import InputError
from avatar.face import StateLayout

STEP = 0.125  # of a number at quality 1; what training's noise is as wide as

Array = NDArray[Any]


def layout_of(numbers: int) -> StateLayout:
    """The layout of a stream of motion vectors: all of them are the state's code."""
    return StateLayout(code=numbers, rotation=0, translation=0, gaze=0, lids=0, torso=0)


def statistics_of(vectors: Array, history: Array | None = None) -> StateStatistics:
    """vectors: [F, D] of many people, at least two rows.  history: [N, D] of consecutive frames
    at 25 a second, what the coder's models learn from before a stream's first frame."""
    if vectors.ndim != 2 or len(vectors) < 2:
        raise InputError(f"vectors {vectors.shape} give no statistics", "Give two frames or more.")
    mean = vectors.mean(axis=0).astype(np.float32)
    scale = np.maximum(vectors.std(axis=0), 1e-3).astype(np.float32)
    step = np.full(vectors.shape[1], STEP, np.float32)
    rows = np.zeros((0, vectors.shape[1]))
    if history is not None:
        rows = (history - mean.astype(np.float64)) / (STEP / 4)
    symbols = np.clip(np.rint(rows), -32767, 32767).astype(np.int16)
    return StateStatistics(mean, scale, step, symbols)
