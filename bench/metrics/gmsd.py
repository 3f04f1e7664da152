"""Gradient magnitude similarity deviation: Xue, Zhang, Mou and Bovik, IEEE TIP 23(2), 2014."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError

C = 170.0  # the paper's constant, for levels 0..255
_LUMA = np.array([0.2989, 0.5870, 0.1140])  # BT.601, as the authors' program rounds it


def gmsd(reference: NDArray[Any], picture: NDArray[Any]) -> float:
    """Of RGB pictures [H, W, 3] in 0..255: 0 for equal ones, more is worse.

    As in the authors' program: luma, means over 2 x 2 pixels, Prewitt gradients over a border of
    black, and the standard deviation (n - 1) of the similarity map.
    """
    if min(reference.shape[:2]) < 4:
        raise InputError("GMSD needs pictures of 4 pixels or more each way", "Resize them first.")
    a, b = _gradient(_halved(reference @ _LUMA)), _gradient(_halved(picture @ _LUMA))
    similarity = (2 * a * b + C) / (a * a + b * b + C)
    return float(np.std(similarity, ddof=1))


def _halved(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over 2 x 2; an odd side ends in a row or column of black, as MATLAB's conv2 has it."""
    luma = np.pad(luma, [(0, size % 2) for size in luma.shape])
    return (luma[::2, ::2] + luma[1::2, ::2] + luma[::2, 1::2] + luma[1::2, 1::2]) / 4


def _gradient(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    framed = np.pad(luma, 1)
    rows = framed[:-2] + framed[1:-1] + framed[2:]
    columns = framed[:, :-2] + framed[:, 1:-1] + framed[:, 2:]
    return np.hypot(rows[:, :-2] - rows[:, 2:], columns[:-2] - columns[2:]) / 3
