"""Large tensors in a byte a number (docs/archive.md, section 4).

A grid of features is told apart by eye no better than to a 250th of its range, so that half
precision spends every second byte on nothing.  Each channel has a step of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SUFFIX = ".unit"
MOST = 127
_LEAST = 1e-30  # a step below this is none: float32 ends near
_CHANNELS = 64  # last dimensions up to this are channels; else each row shares a step


def to_bytes(value: Array) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Float32 of any shape -> int8 of that shape, and the step of its groups, broadcastable.

    Steps have eleven bits, so that products with bytes are exact in float32 and what was read is
    written as the same bytes again.
    """
    value = np.asarray(value, np.float32)
    kept = value.ndim - 1 if value.shape[-1] <= _CHANNELS else 0
    axes = tuple(axis for axis in range(value.ndim) if axis != kept)
    step = _rounded_up(np.abs(value).max(axis=axes, keepdims=True) / np.float32(MOST))
    return np.rint(value / step).astype(np.int8), step


def from_bytes(coded: NDArray[np.int8], step: NDArray[np.float32]) -> NDArray[np.float32]:
    return coded.astype(np.float32) * step


def _rounded_up(step: Array) -> NDArray[np.float32]:
    """To eleven bits of mantissa; 1 where there is nothing to code."""
    mantissa, exponent = np.frexp(np.where(step > _LEAST, step, 1.0).astype(np.float64))
    return np.ldexp(np.ceil(mantissa * 2048.0) / 2048.0, exponent).astype(np.float32)
