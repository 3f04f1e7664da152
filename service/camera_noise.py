"""How noisy a camera's pictures are, by what of them stands still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 16  # pixels a side: enough of them that a block's variance is sure to a tenth


@dataclass(frozen=True)
class CameraNoiseSettings:
    """still: share of the picture that is taken to stand still from frame to frame: of a person at
    a desk more is wall.  memory: of what was measured before, in frames."""

    still: float = 0.25
    memory: float = 8.0


class CameraNoise:
    """`step` takes pictures of one size in the order of their times."""

    def __init__(self, settings: CameraNoiseSettings = CameraNoiseSettings()) -> None:
        self._settings = settings
        self._before: NDArray[np.float32] | None = None
        self._variance: float | None = None

    def step(self, picture: NDArray[np.uint8]) -> float:
        """The deviation of grey in levels, from [S, S, 3]; 0 while there is one picture only."""
        import cv2

        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        before, self._before = self._before, grey
        if before is not None and before.shape == grey.shape:
            apart = grey - before
            if apart.any():  # some cameras hand out a frame twice
                self._learn(float(np.quantile(_variances(apart), self._settings.still)))
        return float(np.sqrt(self._variance or 0.0))

    def _learn(self, variance: float) -> None:
        known = self._variance
        share = 1.0 / self._settings.memory
        self._variance = variance if known is None else known + share * (variance - known)


def _variances(apart: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of one picture's noise, in blocks of the difference [S, S] of two."""
    side = min(_BLOCK, *apart.shape)
    rows, columns = (length // side for length in apart.shape)
    blocks = apart[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return 0.5 * np.square(blocks).mean(axis=(1, 3))
