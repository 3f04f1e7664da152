"""Each stage of the head's rays in one compiled pass, forwards and back.

What `HeadField.bend` and its samples, `ray_weights` and `accumulate` do one after another, each
over all samples of all rays, is done here ray by ray, in the first-level cache; gradients are
derived by hand from 003 Eq. 2 and 3.  The plain twins are `Person.coarse_look_plain` and
`fine_features_plain`, autograd's gradients among them; tests hold them together.

Letters: B frames, R rays a frame, S samples a ray, C and E channels of the planes and of the
blended plane.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from render.interpolate_cpu import (
    ONE,
    WORKERS,
    cell,
    cube,
    cube_slopes,
    cube_weights,
    inlined,
    options,
    square,
    square_slopes,
    square_weights,
    summed,
)
from render.kernel_threads import each, shared_out
from render.simd import add, dots, lanes_of, mix, power_of_two, scatter

Array = NDArray[Any]
_HALF, _ZERO = np.float32(0.5), np.float32(0.0)
_LOG2_E = np.float32(1.4426950408889634)
_LEAST = np.float32(-120.0)  # a power of two that is nothing, and no denormal
_SINGLE, _SPACE, _TEXEL = lanes_of(1), lanes_of(3), lanes_of(4)


class HeadGrids(NamedTuple):
    """The head's grids: of each frame its warp and blended plane, of all frames the others."""

    warp: Array  # [B, D, H, W, 3] box units
    coarse: Array  # [1, D, H, W, 4]; the density's logit first, then a colour
    front: Array  # [1, Y, X, C]; what it adds to the logit first
    top: Array  # [1, Z, X, C]
    profile: Array  # [1, Z, Y, C]
    blend: Array  # [B, Y, X, E]

    @property
    def lanes(self) -> tuple[tuple[int, ...], ...]:
        channels, blended = self.front.shape[-1], self.blend.shape[-1]
        return lanes_of(channels), lanes_of(blended), lanes_of(channels + blended)


class Rays(NamedTuple):
    """start: [B, 3] where they begin, box units.  along: [B, R, 3] box units a metre.  edges:
    [B, R, S + 1] metres."""

    start: Array
    along: Array
    edges: Array

    @property
    def number(self) -> int:
        return int(self.along.shape[0] * self.along.shape[1])

    @property
    def samples(self) -> int:
        return int(self.edges.shape[2] - 1)


def look(rays: Rays, warp: Array, coarse: Array, density_scale: float) -> tuple[Array, Array]:
    """The coarse stage: weights [B, R, S], and the colour that they sum up to [B, R, 3]."""
    weights = np.zeros((*rays.along.shape[:2], rays.samples), np.float32)
    colour = np.zeros(rays.along.shape, np.float32)
    arrays = (*rays, warp, coarse, np.float32(density_scale), weights, colour)
    shared_out(lambda first, last: _look(*arrays, first, last), rays.number, rays.samples)
    return weights, colour


def look_gradients(
    rays: Rays, warp: Array, coarse: Array, density_scale: float, d_weights: Array, d_colour: Array
) -> Array:
    """Gradient of the coarse grid, for those of what `look` gives."""
    copies = np.zeros((WORKERS, *coarse.shape), np.float32)
    scale = np.float32(density_scale)
    arrays = (*rays, warp, coarse, scale, d_weights, d_colour, copies)

    def work(worker: int) -> None:
        first, last = (n * rays.number // WORKERS for n in (worker, worker + 1))
        _look_back(*arrays, worker, first, last)

    each(work, WORKERS, rays.number * rays.samples)
    return summed(copies)


def march(rays: Rays, grids: HeadGrids, density_scale: float) -> tuple[Array, Array]:
    """The fine stage: features accumulated along each ray, 003 Eq. 2 [B, R, C + E], and its
    opacity [B, R]."""
    width = grids.front.shape[-1] + grids.blend.shape[-1]
    features = np.zeros((*rays.along.shape[:2], width), np.float32)
    opacity = np.zeros(rays.along.shape[:2], np.float32)
    arrays = (*grids.lanes, *rays, *grids, np.float32(density_scale), features, opacity)
    shared_out(lambda first, last: _march(*arrays, first, last), rays.number, rays.samples)
    return features, opacity


def march_gradients(
    rays: Rays,
    grids: HeadGrids,
    density_scale: float,
    d_features: Array,
    d_opacity: Array,
    to_shared: bool,
) -> tuple[Array, Array, HeadGrids]:
    """Gradients of start, along and the grids.  to_shared: of the grids of all frames, too;
    without it theirs are empty."""
    own = {"warp", "blend"}
    copies = HeadGrids(
        *(
            np.zeros((WORKERS * (to_shared or name in own), *grid.shape), np.float32)
            for name, grid in zip(grids._fields, grids, strict=True)
        )
    )
    d_start = np.zeros((WORKERS, *rays.start.shape), np.float32)
    d_along = np.zeros(rays.along.shape, np.float32)
    given = (*grids.lanes, *rays, *grids, np.float32(density_scale), d_features, d_opacity)
    arrays = (*given, *copies, d_start, d_along)

    def work(worker: int) -> None:
        first, last = (n * rays.number // WORKERS for n in (worker, worker + 1))
        _march_back(*arrays, worker, first, last)

    each(work, WORKERS, rays.number * rays.samples)
    return summed(d_start), d_along, HeadGrids(*map(summed, copies))


@njit(**inlined)
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


@njit(**inlined)
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


@njit(**inlined)
def _opacity(logit, depth):  # type: ignore[no-untyped-def]
    """1 - exp(-depth softplus(logit))."""
    small = _exp2(max(-abs(logit) * _LOG2_E, _LEAST))
    density = max(logit, _ZERO) + _log1p(small)
    return ONE - _exp2(max(-density * depth * _LOG2_E, _LEAST))


@njit(**inlined)
def _sigmoid(logit):  # type: ignore[no-untyped-def]
    """The derivative of softplus."""
    small = _exp2(max(-abs(logit) * _LOG2_E, _LEAST))
    return (ONE if logit > _ZERO else small) / (ONE + small)


@njit(**inlined)
def _in_plane(plane, x, y):  # type: ignore[no-untyped-def]
    height, width, channels = plane.shape
    i, fx, _ = cell(x, width)
    j, fy, _ = cell(y, height)
    return square(i, j, width, height, channels), square_weights(fx, fy)


@njit(**inlined)
def _in_volume(volume, x, y, z):  # type: ignore[no-untyped-def]
    depth, height, width, channels = volume.shape
    i, fx, _ = cell(x, width)
    j, fy, _ = cell(y, height)
    k, fz, _ = cell(z, depth)
    return cube(i, j, k, width, height, depth, channels), cube_weights(fx, fy, fz)


@njit(**inlined)
def _plane_slopes(lanes, plane, x, y, grad, at):  # type: ignore[no-untyped-def]
    """Of the sample of a plane times `grad`: by x and y."""
    height, width, channels = plane.shape
    i, fx, dx = cell(x, width)
    j, fy, dy = cell(y, height)
    values = dots(lanes, plane, square(i, j, width, height, channels), grad, at)
    return square_slopes(values, fx, fy, dx, dy)


@njit(**inlined)
def _volume_slopes(lanes, volume, x, y, z, grad, at):  # type: ignore[no-untyped-def]
    depth, height, width, channels = volume.shape
    i, fx, dx = cell(x, width)
    j, fy, dy = cell(y, height)
    k, fz, dz = cell(z, depth)
    values = dots(lanes, volume, cube(i, j, k, width, height, depth, channels), grad, at)
    return cube_slopes(values, fx, fy, fz, dx, dy, dz)


@njit(**inlined)
def _place(start, along, edges, b, r, s):  # type: ignore[no-untyped-def]
    """The middle of interval s, as posed, box units, and how far along the ray it is."""
    t = _HALF * (edges[b, r, s] + edges[b, r, s + 1])
    x = start[b, 0] + t * along[b, r, 0]
    y = start[b, 1] + t * along[b, r, 1]
    z = start[b, 2] + t * along[b, r, 2]
    return x, y, z, t


@njit(**inlined)
def _bend(start, along, edges, b, r, s, warp, at):  # type: ignore[no-untyped-def]
    """Where the middle of interval s came from, canonical box units, into at[s]."""
    x, y, z, _ = _place(start, along, edges, b, r, s)
    places, weights = _in_volume(warp[b], x, y, z)
    mix(_SPACE, at, s * 3, warp[b], places, weights)
    at[s, 0] += x
    at[s, 1] += y
    at[s, 2] += z


@njit(**inlined)
def _look_along(start, along, edges, b, r, warp, coarse, scale, at, seen, opacities):  # type: ignore[no-untyped-def]
    """Texels of the coarse grid [S, 4] and opacities [S] of a ray."""
    samples = edges.shape[2] - 1
    for s in range(samples):
        _bend(start, along, edges, b, r, s, warp, at)
        places, weights = _in_volume(coarse[0], at[s, 0], at[s, 1], at[s, 2])
        mix(_TEXEL, seen, s * 4, coarse[0], places, weights)
    for s in range(samples):
        opacities[s] = _opacity(seen[s, 0], scale * (edges[b, r, s + 1] - edges[b, r, s]))


@njit(**options)
def _look(start, along, edges, warp, coarse, scale, weights, colour, first, last):  # type: ignore[no-untyped-def]
    rays, samples = along.shape[1], edges.shape[2] - 1
    at = np.empty((samples, 3), np.float32)
    seen = np.empty((samples, 4), np.float32)
    opacities = np.empty(samples, np.float32)
    for n in range(first, last):
        b = n // rays
        r = n - b * rays
        _look_along(start, along, edges, b, r, warp, coarse, scale, at, seen, opacities)
        light = ONE
        for s in range(samples):
            weight = light * opacities[s]
            light -= weight
            weights[b, r, s] = weight
            add(_SPACE, colour, n * 3, seen, (s * 4 + 1,), (weight,))


@njit(**options)
def _look_back(  # type: ignore[no-untyped-def]
    start, along, edges, warp, coarse, scale, d_weights, d_colour, copies, worker, first, last
):
    rays, samples = along.shape[1], edges.shape[2] - 1
    at = np.empty((samples, 3), np.float32)
    seen = np.empty((samples, 4), np.float32)
    opacities = np.empty(samples, np.float32)
    light = np.empty(samples + 1, np.float32)
    grad = np.empty(4, np.float32)
    for n in range(first, last):
        b = n // rays
        r = n - b * rays
        _look_along(start, along, edges, b, r, warp, coarse, scale, at, seen, opacities)
        _light_along(opacities, light)
        behind = _ZERO  # what the samples behind this one add, times their gradients
        for s in range(samples - 1, -1, -1):
            weight = light[s] - light[s + 1]
            by_weight = d_weights[b, r, s]
            for c in range(3):
                by_weight += d_colour[b, r, c] * seen[s, c + 1]
                grad[c + 1] = weight * d_colour[b, r, c]
            by_depth = light[s + 1] * by_weight - behind
            behind += weight * by_weight
            length = edges[b, r, s + 1] - edges[b, r, s]
            grad[0] = by_depth * length * scale * _sigmoid(seen[s, 0])
            places, weights = _in_volume(coarse[0], at[s, 0], at[s, 1], at[s, 2])
            scatter(_TEXEL, copies[worker], places, weights, grad, 0)


@njit(**inlined)
def _march_along(  # type: ignore[no-untyped-def]
    of_planes, of_blend, start, along, edges, b, r, warp, coarse, front, top, profile, blend, scale,
    at, seen, logits, opacities,
):  # fmt: skip
    """Features [S, C + E], logits [S] and opacities [S] of a ray's samples."""
    samples, width, channels = edges.shape[2] - 1, seen.shape[1], front.shape[3]
    for s in range(samples):
        _bend(start, along, edges, b, r, s, warp, at)
        x, y, z = at[s, 0], at[s, 1], at[s, 2]
        places, weights = _in_volume(coarse[0], x, y, z)
        mix(_SINGLE, logits, s, coarse[0], places, weights)
        places, weights = _in_plane(front[0], x, y)
        mix(of_planes, seen, s * width, front[0], places, weights)
        places, weights = _in_plane(top[0], x, z)
        add(of_planes, seen, s * width, top[0], places, weights)
        places, weights = _in_plane(profile[0], y, z)
        add(of_planes, seen, s * width, profile[0], places, weights)
        places, weights = _in_plane(blend[b], x, y)
        mix(of_blend, seen, s * width + channels, blend[b], places, weights)
    for s in range(samples):
        logits[s] += seen[s, 0]
        opacities[s] = _opacity(logits[s], scale * (edges[b, r, s + 1] - edges[b, r, s]))


@njit(**options)
def _march(  # type: ignore[no-untyped-def]
    of_planes, of_blend, of_all, start, along, edges, warp, coarse, front, top, profile, blend,
    scale, features, opacity, first, last,
):  # fmt: skip
    rays, samples, width = along.shape[1], edges.shape[2] - 1, features.shape[2]
    at = np.empty((samples, 3), np.float32)
    seen = np.empty((samples, width), np.float32)
    logits = np.empty(samples, np.float32)
    opacities = np.empty(samples, np.float32)
    for n in range(first, last):
        b = n // rays
        r = n - b * rays
        if not edges[b, r, samples] > edges[b, r, 0]:
            continue  # it misses the box
        _march_along(
            of_planes, of_blend, start, along, edges, b, r, warp, coarse, front, top, profile,
            blend, scale, at, seen, logits, opacities,
        )  # fmt: skip
        light = ONE
        for s in range(samples):
            weight = light * opacities[s]
            light -= weight
            add(of_all, features, n * width, seen, (s * width,), (weight,))
        opacity[b, r] = ONE - light


@njit(**options)
def _march_back(  # type: ignore[no-untyped-def]
    of_planes, of_blend, of_all, start, along, edges, warp, coarse, front, top, profile, blend,
    scale, d_features, d_opacity, d_warp, d_coarse, d_front, d_top, d_profile, d_blend, d_start,
    d_along, worker, first, last,
):  # fmt: skip
    rays, samples, width = along.shape[1], edges.shape[2] - 1, d_features.shape[2]
    channels = front.shape[3]
    to_shared = d_front.shape[0] > 0
    at = np.empty((samples, 3), np.float32)
    seen = np.empty((samples, width), np.float32)
    logits = np.empty(samples, np.float32)
    opacities = np.empty(samples, np.float32)
    light = np.empty(samples + 1, np.float32)
    grad = np.empty(width, np.float32)
    by_logit = np.empty(1, np.float32)
    by_place = np.empty(3, np.float32)
    for n in range(first, last):
        b = n // rays
        r = n - b * rays
        if not edges[b, r, samples] > edges[b, r, 0]:
            continue
        _march_along(
            of_planes, of_blend, start, along, edges, b, r, warp, coarse, front, top, profile,
            blend, scale, at, seen, logits, opacities,
        )  # fmt: skip
        _light_along(opacities, light)
        behind = _ZERO  # what the samples behind this one add, times their gradients
        for s in range(samples - 1, -1, -1):
            weight = light[s] - light[s + 1]
            (by_weight,) = dots(of_all, seen, (s * width,), d_features, n * width)
            by_weight += d_opacity[b, r]
            by_depth = light[s + 1] * by_weight - behind
            behind += weight * by_weight
            length = edges[b, r, s + 1] - edges[b, r, s]
            by_logit[0] = by_depth * length * scale * _sigmoid(logits[s])
            mix(of_all, grad, 0, d_features, (n * width,), (weight,))
            grad[0] += by_logit[0]
            x, y, z = at[s, 0], at[s, 1], at[s, 2]
            dx, dy, dz = _volume_slopes(_SINGLE, coarse[0], x, y, z, by_logit, 0)
            p, q = _plane_slopes(of_planes, front[0], x, y, grad, 0)
            dx, dy = dx + p, dy + q
            p, q = _plane_slopes(of_planes, top[0], x, z, grad, 0)
            dx, dz = dx + p, dz + q
            p, q = _plane_slopes(of_planes, profile[0], y, z, grad, 0)
            dy, dz = dy + p, dz + q
            p, q = _plane_slopes(of_blend, blend[b], x, y, grad, channels)
            by_place[0], by_place[1], by_place[2] = dx + p, dy + q, dz
            places, weights = _in_plane(blend[b], x, y)
            scatter(of_blend, d_blend[worker, b], places, weights, grad, channels)
            if to_shared:
                places, weights = _in_volume(coarse[0], x, y, z)
                scatter(_SINGLE, d_coarse[worker, 0], places, weights, by_logit, 0)
                places, weights = _in_plane(front[0], x, y)
                scatter(of_planes, d_front[worker, 0], places, weights, grad, 0)
                places, weights = _in_plane(top[0], x, z)
                scatter(of_planes, d_top[worker, 0], places, weights, grad, 0)
                places, weights = _in_plane(profile[0], y, z)
                scatter(of_planes, d_profile[worker, 0], places, weights, grad, 0)
            # A place moves by itself and by what bends it there.
            x, y, z, t = _place(start, along, edges, b, r, s)
            places, weights = _in_volume(warp[b], x, y, z)
            scatter(_SPACE, d_warp[worker, b], places, weights, by_place, 0)
            bends = _volume_slopes(_SPACE, warp[b], x, y, z, by_place, 0)
            for c in range(3):
                moved = by_place[c] + bends[c]
                d_start[worker, b, c] += moved
                d_along[b, r, c] += t * moved


@njit(**inlined)
def _light_along(opacities, light):  # type: ignore[no-untyped-def]
    """What of the light reaches each sample, and what is left behind the last one [S + 1]."""
    light[0] = ONE
    for s in range(len(opacities)):
        light[s + 1] = light[s] * (ONE - opacities[s])
