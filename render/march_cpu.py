"""The fine stage of a frame in one compiled pass over its rays, for pictures (no gradients).

What `HeadField.bend` and `fine_samples`, `ray_weights` and `accumulate` do one after another, each
over all samples of a tile, is done here ray by ray: nothing but sums leaves the registers, a
sample without weight costs one channel of its features, and a ray ends where nothing behind it
can be seen.  Its plain twin is `Person.fine_features_plain`; a test holds them together.

Letters: R rays, S samples a ray, C and E channels of the planes and of the blended plane.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from render.interpolate_cpu import PARTS, cell, options, shared_out

Array = NDArray[Any]
_NOTHING = np.float32(1e-4)  # of weight or of light left: a fortieth of a level of 255


class HeadGrids(NamedTuple):
    """The head's grids of one frame."""

    warp: Array  # [D, H, W, 3] box units
    coarse: Array  # [D, H, W, 4]; the density's logit first
    front: Array  # [Y, X, C]; what it adds to the logit first
    top: Array  # [Z, X, C]
    profile: Array  # [Z, Y, C]
    blend: Array  # [Y, X, E]


def march(
    start: Array,  # [3] the rays' origin, box units
    along: Array,  # [R, 3] box units a metre
    edges: Array,  # [R, S + 1] metres
    grids: HeadGrids,
    density_scale: float,
) -> tuple[Array, Array]:  # [R, C + E], [R]
    """Features accumulated along each ray, 003 Eq. 2, and its opacity."""
    channels = grids.front.shape[2] + grids.blend.shape[2]
    features = np.zeros((len(along), channels), np.float32)
    opacity = np.empty(len(along), np.float32)
    arrays = (start, along, edges, *grids, np.float32(density_scale), features, opacity)
    shared_out(_march, _march_run, len(along), *arrays)
    return features, opacity


@njit(inline="always")
def _trilinear_at(grid, i, j, k, fx, fy, fz, c):  # type: ignore[no-untyped-def]
    depth, height, width, _ = grid.shape
    i1, j1, k1 = min(i + 1, width - 1), min(j + 1, height - 1), min(k + 1, depth - 1)
    v = grid[k, j, i, c] * (1 - fx) + grid[k, j, i1, c] * fx
    w = grid[k, j1, i, c] * (1 - fx) + grid[k, j1, i1, c] * fx
    near = v * (1 - fy) + w * fy
    v = grid[k1, j, i, c] * (1 - fx) + grid[k1, j, i1, c] * fx
    w = grid[k1, j1, i, c] * (1 - fx) + grid[k1, j1, i1, c] * fx
    return near * (1 - fz) + (v * (1 - fy) + w * fy) * fz


@njit(inline="always")
def _add_plane(plane, x, y, weight, out, r, at):  # type: ignore[no-untyped-def]
    """Adds the weighted bilinear sample to row r of `out`, from channel `at` on."""
    height, width, channels = plane.shape
    i, fx, _ = cell(x, width)
    j, fy, _ = cell(y, height)
    i1, j1 = min(i + 1, width - 1), min(j + 1, height - 1)
    w00 = weight * (1 - fx) * (1 - fy)
    w01 = weight * fx * (1 - fy)
    w10 = weight * (1 - fx) * fy
    w11 = weight * fx * fy
    for c in range(channels):
        out[r, at + c] += (
            w00 * plane[j, i, c] + w01 * plane[j, i1, c]
            + w10 * plane[j1, i, c] + w11 * plane[j1, i1, c]
        )  # fmt: skip


@njit(inline="always")
def _first_of(plane, x, y):  # type: ignore[no-untyped-def]
    """The bilinear sample of channel 0."""
    height, width, _ = plane.shape
    i, fx, _ = cell(x, width)
    j, fy, _ = cell(y, height)
    i1, j1 = min(i + 1, width - 1), min(j + 1, height - 1)
    low = plane[j, i, 0] * (1 - fx) + plane[j, i1, 0] * fx
    high = plane[j1, i, 0] * (1 - fx) + plane[j1, i1, 0] * fx
    return low * (1 - fy) + high * fy


@njit(parallel=True, **options)
def _march(  # type: ignore[no-untyped-def]
    start, along, edges, warp, coarse, front, top, profile, blend, scale, features, opacity
):
    count = len(along)
    for part in prange(PARTS):
        _march_run(
            start, along, edges, warp, coarse, front, top, profile, blend, scale, features, opacity,
            part * count // PARTS, (part + 1) * count // PARTS,
        )  # fmt: skip


@njit(**options)
def _march_run(  # type: ignore[no-untyped-def]
    start, along, edges, warp, coarse, front, top, profile, blend, scale, features, opacity,
    first, last,
):  # fmt: skip
    one = np.float32(1.0)
    channels = front.shape[2]
    for r in range(first, last):
        light = one
        for s in range(edges.shape[1] - 1):
            length = edges[r, s + 1] - edges[r, s]
            t = np.float32(0.5) * (edges[r, s] + edges[r, s + 1])
            x = start[0] + t * along[r, 0]
            y = start[1] + t * along[r, 1]
            z = start[2] + t * along[r, 2]
            i, fx, _ = cell(x, warp.shape[2])
            j, fy, _ = cell(y, warp.shape[1])
            k, fz, _ = cell(z, warp.shape[0])
            x += _trilinear_at(warp, i, j, k, fx, fy, fz, 0)
            y += _trilinear_at(warp, i, j, k, fx, fy, fz, 1)
            z += _trilinear_at(warp, i, j, k, fx, fy, fz, 2)
            i, fx, _ = cell(x, coarse.shape[2])
            j, fy, _ = cell(y, coarse.shape[1])
            k, fz, _ = cell(z, coarse.shape[0])
            logit = _trilinear_at(coarse, i, j, k, fx, fy, fz, 0)
            logit += _first_of(front, x, y) + _first_of(top, x, z) + _first_of(profile, y, z)
            # log(1 + e^x) without overflow.
            density = max(logit, np.float32(0.0)) + np.log1p(np.exp(-abs(logit)))
            weight = light * (one - np.exp(-density * scale * length))
            light -= weight
            if weight > _NOTHING:
                _add_plane(front, x, y, weight, features, r, 0)
                _add_plane(top, x, z, weight, features, r, 0)
                _add_plane(profile, y, z, weight, features, r, 0)
                _add_plane(blend, x, y, weight, features, r, channels)
            if light < _NOTHING:
                break
        opacity[r] = one - light
