"""Each stage of a frame in one compiled pass over its rays, for pictures (no gradients).

What `even_edges` or `weighted_edges`, `HeadField.bend` and its samples, `ray_weights` and
`accumulate` do one after another, each over all samples of a tile, is done here ray by ray, in the
first-level cache.  The plain twins are `Person.coarse_look` and `Person.guided_features_plain`;
tests hold them together.

Letters: R rays, G intervals of the coarse stage and S samples of the fine one a ray, C and E
channels of the planes and of the blended plane.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from render.interpolate_cpu import (
    ONE,
    cell,
    cube,
    cube_weights,
    options,
    square,
    square_weights,
)
from render.kernel_threads import shared_out
from render.sampling import FLOOR
from render.simd import add, lanes_of, mix, power_of_two

Array = NDArray[Any]
_HALF, _ZERO = np.float32(0.5), np.float32(0.0)
_LOG2_E = np.float32(1.4426950408889634)
_LEAST = np.float32(-120.0)  # a power of two that is nothing, and no denormal
_FLAT = np.float32(1e-9)  # of a direction: any tiny slope has the bounds of none


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
    guide: Array,  # [R, G] weights of even intervals of the box
    samples: int,
    grids: HeadGrids,
    density_scale: float,
) -> tuple[Array, Array]:  # [R, C + E], [R]
    """Features accumulated along each ray, 003 Eq. 2, and its opacity."""
    channels, blended = grids.front.shape[2], grids.blend.shape[2]
    features = np.zeros((len(along), channels + blended), np.float32)
    opacity = np.zeros(len(along), np.float32)
    lanes = (lanes_of(channels), lanes_of(blended), lanes_of(channels + blended))
    arrays = (*lanes, start, along, guide, samples, *grids, np.float32(density_scale))
    outs = (features, opacity)
    shared_out(lambda first, last: _march(*arrays, *outs, first, last), len(along))
    return features, opacity


def look(
    start: Array,  # [3] the rays' origin, box units
    along: Array,  # [R, 3] box units a metre
    samples: int,
    grids: HeadGrids,
    density_scale: float,
) -> Array:  # [R, samples]
    """Weights of the coarse stage, 003 Eq. 2 and 3."""
    weights = np.zeros((len(along), samples), np.float32)
    arrays = (start, along, grids.warp, grids.coarse, np.float32(density_scale), weights)
    shared_out(lambda first, last: _look(*arrays, first, last), len(along))
    return weights


@njit(inline="always")
def _bounds(start, along, r):  # type: ignore[no-untyped-def]
    """Where the ray enters and leaves the box, metres (`rays.box_bounds`)."""
    near, far = _ZERO, np.float32(np.inf)
    for axis in range(3):
        slope = along[r, axis]
        if abs(slope) < _FLAT:
            slope = _FLAT
        lower = (-ONE - start[axis]) / slope
        upper = (ONE - start[axis]) / slope
        near = max(near, min(lower, upper))
        far = min(far, max(lower, upper))
    return near, far


@njit(inline="always")
def _share_out(guide, r, near, far, edges):  # type: ignore[no-untyped-def]
    """Edges that share the guide's weight evenly (`sampling.weighted_edges`)."""
    intervals, samples = guide.shape[1], len(edges) - 1
    floor = np.float32(FLOOR / intervals)
    total = floor * np.float32(intervals)
    for g in range(intervals):
        total += guide[r, g]
    step = (far - near) / np.float32(intervals)
    part = total / np.float32(samples)
    edges[0] = near
    g, before, weight = 0, _ZERO, guide[r, 0] + floor
    for s in range(1, samples):
        aim = np.float32(s) * part
        while before + weight <= aim and g < intervals - 1:
            before += weight
            g += 1
            weight = guide[r, g] + floor
        edges[s] = near + step * (np.float32(g) + min((aim - before) / weight, ONE))
    edges[samples] = far


@njit(inline="always")
def _exp2(x):  # type: ignore[no-untyped-def]
    """2^x for x in -126..126, to 2e-7 of it: a polynomial that a loop's vectors can take."""
    whole = np.floor(x)
    f = x - whole
    p = np.float32(1.8775767e-3)
    p = p * f + np.float32(8.9893397e-3)
    p = p * f + np.float32(5.5826318e-2)
    p = p * f + np.float32(2.4015361e-1)
    p = p * f + np.float32(6.9315308e-1)
    p = p * f + np.float32(9.9999994e-1)
    return p * power_of_two(np.int32(whole))


@njit(inline="always")
def _log1p(x):  # type: ignore[no-untyped-def]
    """log(1 + x) for x in 0..1, to 3e-8 (M. Abramowitz and I. Stegun, "Handbook of Mathematical
    Functions", 1964, 4.1.44)."""
    p = np.float32(-0.0064535442)
    p = p * x + np.float32(0.0360884937)
    p = p * x + np.float32(-0.0953293897)
    p = p * x + np.float32(0.1676540711)
    p = p * x + np.float32(-0.2407338084)
    p = p * x + np.float32(0.3317990258)
    p = p * x + np.float32(-0.4998741238)
    p = p * x + np.float32(0.9999964239)
    return p * x


@njit(inline="always")
def _opacity(logit, depth):  # type: ignore[no-untyped-def]
    """1 - exp(-depth softplus(logit))."""
    small = _exp2(max(-abs(logit) * _LOG2_E, _LEAST))
    density = max(logit, _ZERO) + _log1p(small)
    return ONE - _exp2(max(-density * depth * _LOG2_E, _LEAST))


@njit(**options)
def _look(start, along, warp, coarse, scale, weights, first, last):  # type: ignore[no-untyped-def]
    samples = weights.shape[1]
    logits = np.empty(samples, np.float32)
    bent = np.empty(3, np.float32)
    for r in range(first, last):
        near, far = _bounds(start, along, r)
        if not far > near:
            continue
        step = (far - near) / np.float32(samples)
        for s in range(samples):
            x, y, z = _bend(start, along, r, near + (np.float32(s) + _HALF) * step, warp, bent)
            places, corners = _in_volume(coarse, x, y, z)
            mix((0,), logits, s, coarse, places, corners)
        for s in range(samples):
            logits[s] = _opacity(logits[s], scale * step)
        light = ONE
        for s in range(samples):
            weights[r, s] = light * logits[s]
            light -= weights[r, s]


@njit(**options)
def _march(  # type: ignore[no-untyped-def]
    of_planes, of_blend, of_all, start, along, guide, samples, warp, coarse, front, top, profile,
    blend, scale, features, opacity, first, last,
):  # fmt: skip
    channels, width = front.shape[2], features.shape[1]
    edges = np.empty(samples + 1, np.float32)
    seen = np.empty((samples, width), np.float32)  # features of each sample
    logits = np.empty(samples, np.float32)
    bent = np.empty(3, np.float32)
    for r in range(first, last):
        near, far = _bounds(start, along, r)
        if not far > near:
            continue
        _share_out(guide, r, near, far, edges)
        for s in range(samples):
            t = _HALF * (edges[s] + edges[s + 1])
            x, y, z = _bend(start, along, r, t, warp, bent)
            places, weights = _in_volume(coarse, x, y, z)
            mix((0,), logits, s, coarse, places, weights)
            at = s * width
            places, weights = _in_plane(front, x, y)
            mix(of_planes, seen, at, front, places, weights)
            places, weights = _in_plane(top, x, z)
            add(of_planes, seen, at, top, places, weights)
            places, weights = _in_plane(profile, y, z)
            add(of_planes, seen, at, profile, places, weights)
            places, weights = _in_plane(blend, x, y)
            mix(of_blend, seen, at + channels, blend, places, weights)
        for s in range(samples):
            depth = scale * (edges[s + 1] - edges[s])
            logits[s] = _opacity(logits[s] + seen[s, 0], depth)
        light = ONE
        for s in range(samples):
            weight = light * logits[s]
            light -= weight
            add(of_all, features, r * width, seen, (s * width,), (weight,))
        opacity[r] = ONE - light


@njit(inline="always")
def _bend(start, along, r, t, warp, bent):  # type: ignore[no-untyped-def]
    """Where the point at t metres along a ray came from, canonical box units."""
    x = start[0] + t * along[r, 0]
    y = start[1] + t * along[r, 1]
    z = start[2] + t * along[r, 2]
    places, weights = _in_volume(warp, x, y, z)
    mix((0, 0, 0), bent, 0, warp, places, weights)
    return x + bent[0], y + bent[1], z + bent[2]


@njit(inline="always")
def _in_plane(plane, x, y):  # type: ignore[no-untyped-def]
    height, width, channels = plane.shape
    i, fx, _ = cell(x, width)
    j, fy, _ = cell(y, height)
    return square(i, j, width, height, channels), square_weights(fx, fy)


@njit(inline="always")
def _in_volume(volume, x, y, z):  # type: ignore[no-untyped-def]
    depth, height, width, channels = volume.shape
    i, fx, _ = cell(x, width)
    j, fy, _ = cell(y, height)
    k, fz, _ = cell(z, depth)
    return cube(i, j, k, width, height, depth, channels), cube_weights(fx, fy, fz)
