"""The compiled CPU kernel behind `render.sampling`; shapes and units as there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from render.interpolate_cpu import ONE, options
from render.kernel_threads import shared_out

Array = NDArray[Any]
_HALF, _ZERO = np.float32(0.5), np.float32(0.0)
_ALL = np.float32(1.0 - 1e-6)  # of the weight, but for what rounding loses


def weighted_edges(
    edges: Array, weights: Array, samples: int, jitter: Array | None, floor: float
) -> Array:
    count, intervals = edges.shape[0] * edges.shape[1], weights.shape[2]
    out = np.empty((*edges.shape[:2], samples + 1), np.float32)
    shift = np.full(count, 0.5, np.float32) if jitter is None else jitter.reshape(count)
    flat = (edges.reshape(count, intervals + 1), weights.reshape(count, intervals), shift)
    arrays = (*flat, np.float32(floor / intervals), out.reshape(count, samples + 1))
    shared_out(lambda first, last: _weighted_edges(*arrays, first, last), count, samples)
    return out


@njit(**options)
def _weighted_edges(edges, weights, jitter, floor, out, first, last):  # type: ignore[no-untyped-def]
    intervals, samples = weights.shape[1], out.shape[1] - 1
    for r in range(first, last):
        total = _ZERO
        for i in range(intervals):
            total += weights[r, i] + floor
        part = total / np.float32(samples)
        i, before, weight = 0, _ZERO, weights[r, 0] + floor
        for s in range(samples + 1):
            aim = (np.float32(s) + jitter[r] - _HALF) * part
            while before + weight <= aim and i < intervals - 1:
                before += weight
                i += 1
                weight = weights[r, i] + floor
            share = min(max((aim - before) / weight, _ZERO), ONE)
            if aim >= total * _ALL:
                i, share = intervals - 1, ONE
            out[r, s] = edges[r, i] + share * (edges[r, i + 1] - edges[r, i])
