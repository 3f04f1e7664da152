"""The compiled CPU kernels behind `render.enlarge`; shapes as there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from render.interpolate_cpu import ONE, options
from render.kernel_threads import shared_out
from render.simd import lanes_of, mix

Array = NDArray[Any]
_CHANNELS = 4
_LANES = lanes_of(_CHANNELS)
_BEND = -0.75  # of the cubic, as torch and OpenCV have it
_ZERO = np.float32(0.0)


def enlarged(seen: Array, shape: tuple[int, int], nothing: float) -> Array:
    out = np.empty((*shape, _CHANNELS), np.float32)
    arrays = (seen, *_cubic(seen.shape[0], shape[0]), *_cubic(seen.shape[1], shape[1]))
    least = np.float32(nothing)
    width = shape[1]

    def rows(first: int, last: int) -> None:
        _enlarged(*arrays, least, out, first // width, last // width)

    shared_out(rows, shape[0] * width)
    return out


def busy(seen: Array, shape: tuple[int, int], contrast: float) -> Array:
    small = np.empty(seen.shape[:2], np.bool_)
    _busy(seen, np.float32(contrast), small)
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, small.shape, strict=True))
    return small[rows[:, None], columns]


def _cubic(few: int, many: int) -> tuple[Array, Array]:
    """Of each of `many`: the four of `few` around it [many, 4] and their weights [many, 4]."""
    at = (np.arange(many) + 0.5) * (few / many) - 0.5
    first = np.floor(at)
    away = np.abs(at[:, None] - first[:, None] - np.arange(-1, 3))
    near = ((_BEND + 2) * away - (_BEND + 3)) * away * away + 1
    far = _BEND * (((away - 5) * away + 8) * away - 4)
    weights = np.where(away <= 1, near, far)
    places = first[:, None].astype(np.int64) + np.arange(-1, 3)
    return places.clip(0, few - 1), weights.astype(np.float32)


@njit(**options)
def _enlarged(seen, rows, row_weights, columns, column_weights, least, out, first, last):  # type: ignore[no-untyped-def]
    width, wide = seen.shape[1], out.shape[1]
    line = np.empty((width, _CHANNELS), np.float32)
    stride = width * _CHANNELS
    for y in range(first, last):
        a, b, c, d = rows[y, 0], rows[y, 1], rows[y, 2], rows[y, 3]
        p, q, r, s = row_weights[y, 0], row_weights[y, 1], row_weights[y, 2], row_weights[y, 3]
        for x in range(width):
            at = x * _CHANNELS
            places = (a * stride + at, b * stride + at, c * stride + at, d * stride + at)
            mix(_LANES, line, at, seen, places, (p, q, r, s))
        for x in range(wide):
            places = (
                columns[x, 0] * _CHANNELS, columns[x, 1] * _CHANNELS,
                columns[x, 2] * _CHANNELS, columns[x, 3] * _CHANNELS,
            )  # fmt: skip
            weights = (
                column_weights[x, 0], column_weights[x, 1],
                column_weights[x, 2], column_weights[x, 3],
            )  # fmt: skip
            mix(_LANES, out, (y * wide + x) * _CHANNELS, line, places, weights)
            there = out[y, x, 3] > least
            for channel in range(_CHANNELS):
                value = min(max(out[y, x, channel], _ZERO), ONE)
                out[y, x, channel] = value if there else _ZERO


@njit(**options)
def _busy(seen, contrast, out):  # type: ignore[no-untyped-def]
    height, width, _ = seen.shape
    for y in range(height):
        for x in range(width):
            spread = _ZERO
            for channel in range(_CHANNELS):
                low = high = seen[y, x, channel]
                for j in range(max(y - 1, 0), min(y + 2, height)):
                    for i in range(max(x - 1, 0), min(x + 2, width)):
                        low = min(low, seen[j, i, channel])
                        high = max(high, seen[j, i, channel])
                spread = max(spread, high - low)
            out[y, x] = spread > contrast
