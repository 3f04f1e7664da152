"""Pictures between the frames that were sent (docs/bitstream.md, section 8.8)."""

from __future__ import annotations

import numpy as np

from avatar.face import FaceStates
from codec.timing import tick_time


def filled(states: FaceStates, between: int, rate: tuple[int, int]) -> FaceStates:
    """Every frame followed by `between` more on the straight way to the next one.

    Where either has no face, and after the last frame, the frame itself stands.  rate: of the
    pictures, as in the header.
    """
    if not between or not len(states):
        return states
    after = np.minimum(np.arange(1, len(states) + 1), len(states) - 1)
    first, second = states.values.astype(np.float64), states.values[after].astype(np.float64)
    moves = states.visible & states.visible[after]
    spans = states.time[after] - states.time
    times, values = [], []
    for step in range(between + 1):
        share = moves[:, None] * (step / (between + 1))
        values.append((first + (second - first) * share).astype(np.float32))
        times.append(states.time + spans * step // (between + 1))
        times[-1][-1] = states.time[-1] + tick_time(step, rate, 0)

    def woven(rows: list[np.ndarray]) -> np.ndarray:
        stacked = np.stack(rows, axis=1)
        return stacked.reshape(-1, *stacked.shape[2:])

    visible = np.repeat(states.visible, between + 1)
    return FaceStates(woven(times), woven(values), visible, states.layout)
