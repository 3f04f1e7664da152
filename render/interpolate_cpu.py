"""The compiled CPU kernels behind `render.interpolate`; shapes and coordinates as there.

Gradients to a grid are scattered by LANES workers into a private copy each, then added in a
fixed order: no atomics, and the same sums on every run, however many threads there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

LANES = 2
PARTS = 32  # that threads share out among them
Array = NDArray[Any]

options: dict[str, Any] = {"nogil": True, "fastmath": True, "cache": True}


def bilinear(planes: Array, points: Array) -> Array:
    out = np.empty((points.shape[0], points.shape[1], planes.shape[3]), np.float32)
    shared_out(_bilinear, _bilinear_run, out.shape[0] * out.shape[1], planes, points, out)
    return out


def trilinear(volumes: Array, points: Array) -> Array:
    out = np.empty((points.shape[0], points.shape[1], volumes.shape[4]), np.float32)
    shared_out(_trilinear, _trilinear_run, out.shape[0] * out.shape[1], volumes, points, out)
    return out


def bilinear_gradients(
    planes: Array, points: Array, grad: Array, to_planes: bool, to_points: bool
) -> tuple[Array, Array]:
    lanes, d_points = _buffers(planes, points, to_planes, to_points)
    _bilinear_gradients(planes, points, grad, lanes, d_points)
    return _added(lanes), d_points


def trilinear_gradients(
    volumes: Array, points: Array, grad: Array, to_volumes: bool, to_points: bool
) -> tuple[Array, Array]:
    lanes, d_points = _buffers(volumes, points, to_volumes, to_points)
    _trilinear_gradients(volumes, points, grad, lanes, d_points)
    return _added(lanes), d_points


def shared_out(parallel: Any, run: Any, count: int, *arrays: Any) -> None:
    """Work on `count` items by all of numba's threads, or where that is one by the caller itself:
    several callers at once, a frame each, then need no threading layer that allows for it."""
    if get_num_threads() == 1:
        run(*arrays, 0, count)
    else:
        parallel(*arrays)


def _buffers(grids: Array, points: Array, to_grids: bool, to_points: bool) -> tuple[Array, Array]:
    # Frames with a grid each are shared out whole, so that they need no private copies.
    copies = (LANES if len(grids) == 1 else 1) if to_grids else 0
    lanes = np.zeros((copies, *grids.shape), np.float32)
    return lanes, np.empty(points.shape if to_points else (0, 0, points.shape[2]), np.float32)


def _added(lanes: Array) -> Array:
    if len(lanes) == LANES:
        lanes[0] += lanes[1]
    return lanes[0] if len(lanes) else lanes


@njit(inline="always")
def cell(coordinate, size):  # type: ignore[no-untyped-def]
    """-1..1 -> lower corner, fraction above it, and the derivative of texels by coordinate."""
    half = np.float32(0.5 * (size - 1))
    x = (coordinate + np.float32(1.0)) * half
    if not x > np.float32(0.0):  # NaN lands here too
        return 0, np.float32(0.0), np.float32(0.0)
    if x >= np.float32(size - 1):
        return max(size - 2, 0), np.float32(1.0 if size > 1 else 0.0), np.float32(0.0)
    corner = int(x)
    return corner, np.float32(x - corner), half


@njit(parallel=True, **options)
def _bilinear(planes, points, out):  # type: ignore[no-untyped-def]
    count = points.shape[0] * points.shape[1]
    for part in prange(PARTS):
        _bilinear_run(planes, points, out, part * count // PARTS, (part + 1) * count // PARTS)


@njit(**options)
def _bilinear_run(planes, points, out, start, stop):  # type: ignore[no-untyped-def]
    grids, height, width, channels = planes.shape
    count = points.shape[1]
    for flat in range(start, stop):
        b = flat // count
        n = flat - b * count
        g = b if grids > 1 else 0
        i, fx, _ = cell(points[b, n, 0], width)
        j, fy, _ = cell(points[b, n, 1], height)
        i1 = min(i + 1, width - 1)
        j1 = min(j + 1, height - 1)
        w00 = (1 - fx) * (1 - fy)
        w01 = fx * (1 - fy)
        w10 = (1 - fx) * fy
        w11 = fx * fy
        for c in range(channels):
            out[b, n, c] = (
                w00 * planes[g, j, i, c]
                + w01 * planes[g, j, i1, c]
                + w10 * planes[g, j1, i, c]
                + w11 * planes[g, j1, i1, c]
            )


@njit(parallel=True, **options)
def _bilinear_gradients(planes, points, grad, lanes, d_points):  # type: ignore[no-untyped-def]
    frames, count, _ = points.shape
    for lane in prange(LANES):
        # Whole frames a lane, or equal runs of points when all share one grid.
        if planes.shape[0] > 1:
            start = lane * frames // LANES * count
            stop = (lane + 1) * frames // LANES * count
            _bilinear_lane(planes, points, grad, lanes[:1], d_points, start, stop)
        else:
            start = lane * frames * count // LANES
            stop = (lane + 1) * frames * count // LANES
            mine = lanes[lane : lane + 1] if lanes.shape[0] > 0 else lanes
            _bilinear_lane(planes, points, grad, mine, d_points, start, stop)


@njit(**options)
def _bilinear_lane(planes, points, grad, lanes, d_points, start, stop):  # type: ignore[no-untyped-def]
    grids, height, width, channels = planes.shape
    count = points.shape[1]
    to_planes = lanes.shape[0] > 0
    to_points = d_points.shape[0] > 0
    for flat in range(start, stop):
        b = flat // count
        n = flat - b * count
        g = b if grids > 1 else 0
        i, fx, dx = cell(points[b, n, 0], width)
        j, fy, dy = cell(points[b, n, 1], height)
        i1 = min(i + 1, width - 1)
        j1 = min(j + 1, height - 1)
        if to_planes:
            w00 = (1 - fx) * (1 - fy)
            w01 = fx * (1 - fy)
            w10 = (1 - fx) * fy
            w11 = fx * fy
            for c in range(channels):
                lanes[0, g, j, i, c] += w00 * grad[b, n, c]
            for c in range(channels):
                lanes[0, g, j, i1, c] += w01 * grad[b, n, c]
            for c in range(channels):
                lanes[0, g, j1, i, c] += w10 * grad[b, n, c]
            for c in range(channels):
                lanes[0, g, j1, i1, c] += w11 * grad[b, n, c]
        if to_points:
            sx = np.float32(0.0)
            sy = np.float32(0.0)
            for c in range(channels):
                v00 = planes[g, j, i, c]
                v01 = planes[g, j, i1, c]
                v10 = planes[g, j1, i, c]
                v11 = planes[g, j1, i1, c]
                sx += grad[b, n, c] * ((1 - fy) * (v01 - v00) + fy * (v11 - v10))
                sy += grad[b, n, c] * ((1 - fx) * (v10 - v00) + fx * (v11 - v01))
            d_points[b, n, 0] = sx * dx
            d_points[b, n, 1] = sy * dy


@njit(parallel=True, **options)
def _trilinear(volumes, points, out):  # type: ignore[no-untyped-def]
    count = points.shape[0] * points.shape[1]
    for part in prange(PARTS):
        _trilinear_run(volumes, points, out, part * count // PARTS, (part + 1) * count // PARTS)


@njit(**options)
def _trilinear_run(volumes, points, out, start, stop):  # type: ignore[no-untyped-def]
    grids, depth, height, width, channels = volumes.shape
    count = points.shape[1]
    for flat in range(start, stop):
        b = flat // count
        n = flat - b * count
        g = b if grids > 1 else 0
        i, fx, _ = cell(points[b, n, 0], width)
        j, fy, _ = cell(points[b, n, 1], height)
        k, fz, _ = cell(points[b, n, 2], depth)
        i1 = min(i + 1, width - 1)
        j1 = min(j + 1, height - 1)
        k1 = min(k + 1, depth - 1)
        for c in range(channels):
            v = volumes[g, k, j, i, c] * (1 - fx) + volumes[g, k, j, i1, c] * fx
            w = volumes[g, k, j1, i, c] * (1 - fx) + volumes[g, k, j1, i1, c] * fx
            near = v * (1 - fy) + w * fy
            v = volumes[g, k1, j, i, c] * (1 - fx) + volumes[g, k1, j, i1, c] * fx
            w = volumes[g, k1, j1, i, c] * (1 - fx) + volumes[g, k1, j1, i1, c] * fx
            out[b, n, c] = near * (1 - fz) + (v * (1 - fy) + w * fy) * fz


@njit(parallel=True, **options)
def _trilinear_gradients(volumes, points, grad, lanes, d_points):  # type: ignore[no-untyped-def]
    frames, count, _ = points.shape
    for lane in prange(LANES):
        # Whole frames a lane, or equal runs of points when all share one grid.
        if volumes.shape[0] > 1:
            start = lane * frames // LANES * count
            stop = (lane + 1) * frames // LANES * count
            _trilinear_lane(volumes, points, grad, lanes[:1], d_points, start, stop)
        else:
            start = lane * frames * count // LANES
            stop = (lane + 1) * frames * count // LANES
            mine = lanes[lane : lane + 1] if lanes.shape[0] > 0 else lanes
            _trilinear_lane(volumes, points, grad, mine, d_points, start, stop)


@njit(**options)
def _trilinear_lane(volumes, points, grad, lanes, d_points, start, stop):  # type: ignore[no-untyped-def]
    grids, depth, height, width, channels = volumes.shape
    count = points.shape[1]
    to_volumes = lanes.shape[0] > 0
    to_points = d_points.shape[0] > 0
    for flat in range(start, stop):
        b = flat // count
        n = flat - b * count
        g = b if grids > 1 else 0
        i, fx, dx = cell(points[b, n, 0], width)
        j, fy, dy = cell(points[b, n, 1], height)
        k, fz, dz = cell(points[b, n, 2], depth)
        i1 = min(i + 1, width - 1)
        j1 = min(j + 1, height - 1)
        k1 = min(k + 1, depth - 1)
        sx = np.float32(0.0)
        sy = np.float32(0.0)
        sz = np.float32(0.0)
        for c in range(channels):
            d = grad[b, n, c]
            if to_volumes:
                low = d * (1 - fz)
                high = d * fz
                lanes[0, g, k, j, i, c] += low * (1 - fy) * (1 - fx)
                lanes[0, g, k, j, i1, c] += low * (1 - fy) * fx
                lanes[0, g, k, j1, i, c] += low * fy * (1 - fx)
                lanes[0, g, k, j1, i1, c] += low * fy * fx
                lanes[0, g, k1, j, i, c] += high * (1 - fy) * (1 - fx)
                lanes[0, g, k1, j, i1, c] += high * (1 - fy) * fx
                lanes[0, g, k1, j1, i, c] += high * fy * (1 - fx)
                lanes[0, g, k1, j1, i1, c] += high * fy * fx
            if to_points:
                v000 = volumes[g, k, j, i, c]
                v001 = volumes[g, k, j, i1, c]
                v010 = volumes[g, k, j1, i, c]
                v011 = volumes[g, k, j1, i1, c]
                v100 = volumes[g, k1, j, i, c]
                v101 = volumes[g, k1, j, i1, c]
                v110 = volumes[g, k1, j1, i, c]
                v111 = volumes[g, k1, j1, i1, c]
                near_x = (v001 - v000) * (1 - fy) + (v011 - v010) * fy
                far_x = (v101 - v100) * (1 - fy) + (v111 - v110) * fy
                sx += d * (near_x * (1 - fz) + far_x * fz)
                v00 = v000 * (1 - fx) + v001 * fx
                v01 = v010 * (1 - fx) + v011 * fx
                v10 = v100 * (1 - fx) + v101 * fx
                v11 = v110 * (1 - fx) + v111 * fx
                sy += d * ((v01 - v00) * (1 - fz) + (v11 - v10) * fz)
                sz += d * ((v10 - v00) * (1 - fy) + (v11 - v01) * fy)
        if to_points:
            d_points[b, n, 0] = sx * dx
            d_points[b, n, 1] = sy * dy
            d_points[b, n, 2] = sz * dz
