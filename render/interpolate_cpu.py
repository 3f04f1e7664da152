"""The compiled CPU kernels behind `render.interpolate`; shapes and coordinates as there.

Gradients to a grid are scattered by WORKERS, into a private copy each, then added in a fixed
order: no atomics, and the same sums on every run, however many threads there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from render.kernel_threads import each, shared_out
from render.simd import dots, lanes_of, mix, scatter

WORKERS = 2
Array = NDArray[Any]

# A literal 1 beside a float32 makes numba compute in double precision: half the lanes.
ONE = np.float32(1.0)

_plain: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy"}
options = _plain | {"cache": True}
# By LLVM, that is: numba's own way compiles a part anew at each place where it stands.
inlined = _plain | {"forceinline": True}


@njit(**options)
def nothing():  # type: ignore[no-untyped-def]
    """Read before the first kernel, it takes numba's own start with it."""


def bilinear(planes: Array, points: Array) -> Array:
    return _sampled(_bilinear, planes, points)


def trilinear(volumes: Array, points: Array) -> Array:
    return _sampled(_trilinear, volumes, points)


def bilinear_gradients(
    planes: Array, points: Array, grad: Array, to_planes: bool, to_points: bool
) -> tuple[Array, Array]:
    return _gradients(_bilinear_back, planes, points, grad, to_planes, to_points)


def trilinear_gradients(
    volumes: Array, points: Array, grad: Array, to_volumes: bool, to_points: bool
) -> tuple[Array, Array]:
    return _gradients(_trilinear_back, volumes, points, grad, to_volumes, to_points)


def _sampled(kernel: Any, grids: Array, points: Array) -> Array:
    frames, count, _ = points.shape
    channels = grids.shape[-1]
    out = np.empty((frames, count, channels), np.float32)
    arrays = (lanes_of(channels), grids, points, out)
    shared_out(lambda first, last: kernel(*arrays, first, last), frames * count)
    return out


def _gradients(
    kernel: Any, grids: Array, points: Array, grad: Array, to_grids: bool, to_points: bool
) -> tuple[Array, Array]:
    frames, count, axes = points.shape
    shared = len(grids) == 1
    # Frames with a grid each are shared out whole, so that they need no private copies.
    copies = np.zeros(((WORKERS if shared else 1) * to_grids, *grids.shape), np.float32)
    d_points = np.empty(points.shape if to_points else (0, 0, axes), np.float32)
    arrays = (lanes_of(grids.shape[-1]), grids, points, grad, copies, d_points)

    def work(worker: int) -> None:
        first, last = (
            n * frames * count // WORKERS if shared else n * frames // WORKERS * count
            for n in (worker, worker + 1)
        )
        kernel(*arrays, worker if shared else 0, first, last)

    each(work, WORKERS, frames * count)
    return summed(copies), d_points


def summed(copies: Array) -> Array:
    """[workers or 1 or 0, ...] -> what the workers have found together, in their order."""
    for copy in copies[1:]:
        copies[0] += copy
    return copies[0] if len(copies) else copies


@njit(**inlined)
def cell(coordinate, size):  # type: ignore[no-untyped-def]
    """-1..1 -> lower corner, fraction above it, and the derivative of texels by coordinate."""
    half = np.float32(0.5 * (size - 1))
    x = (coordinate + ONE) * half
    if not x > np.float32(0.0):  # NaN lands here too
        return 0, np.float32(0.0), np.float32(0.0)
    if x >= np.float32(size - 1):
        return max(size - 2, 0), np.float32(1.0 if size > 1 else 0.0), np.float32(0.0)
    corner = int(x)
    return corner, x - np.float32(corner), half


@njit(**inlined)
def square(i, j, width, height, channels):  # type: ignore[no-untyped-def]
    """Places of the four texels from (i, j) on, in a plane [height, width, channels]."""
    first = (j * width + i) * channels
    right = channels if i + 1 < width else 0
    below = width * channels if j + 1 < height else 0
    return first, first + right, first + below, first + below + right


@njit(**inlined)
def square_weights(fx, fy):  # type: ignore[no-untyped-def]
    gx, gy = ONE - fx, ONE - fy
    return gx * gy, fx * gy, gx * fy, fx * fy


@njit(**inlined)
def square_slopes(values, fx, fy, dx, dy):  # type: ignore[no-untyped-def]
    """Derivatives by the coordinates of what the four values mix to."""
    v00, v01, v10, v11 = values
    along_x = (ONE - fy) * (v01 - v00) + fy * (v11 - v10)
    along_y = (ONE - fx) * (v10 - v00) + fx * (v11 - v01)
    return dx * along_x, dy * along_y


@njit(**inlined)
def cube(i, j, k, width, height, depth, channels):  # type: ignore[no-untyped-def]
    """Places of the eight cells from (i, j, k) on, in a volume [depth, height, width, channels]."""
    a, b, c, d = square(i, j, width, height, channels)
    plane = width * height * channels
    near = k * plane
    far = near + (plane if k + 1 < depth else 0)
    return near + a, near + b, near + c, near + d, far + a, far + b, far + c, far + d


@njit(**inlined)
def cube_weights(fx, fy, fz):  # type: ignore[no-untyped-def]
    a, b, c, d = square_weights(fx, fy)
    gz = ONE - fz
    return a * gz, b * gz, c * gz, d * gz, a * fz, b * fz, c * fz, d * fz


@njit(**inlined)
def cube_slopes(values, fx, fy, fz, dx, dy, dz):  # type: ignore[no-untyped-def]
    v000, v001, v010, v011, v100, v101, v110, v111 = values
    gx, gy, gz = ONE - fx, ONE - fy, ONE - fz
    along_x = gz * (gy * (v001 - v000) + fy * (v011 - v010))
    along_x += fz * (gy * (v101 - v100) + fy * (v111 - v110))
    along_y = gz * (gx * (v010 - v000) + fx * (v011 - v001))
    along_y += fz * (gx * (v110 - v100) + fx * (v111 - v101))
    along_z = gy * (gx * (v100 - v000) + fx * (v101 - v001))
    along_z += fy * (gx * (v110 - v010) + fx * (v111 - v011))
    return dx * along_x, dy * along_y, dz * along_z


@njit(**options)
def _bilinear(lanes, planes, points, out, start, stop):  # type: ignore[no-untyped-def]
    grids, height, width, channels = planes.shape
    count = points.shape[1]
    for flat in range(start, stop):
        b = flat // count
        n = flat - b * count
        i, fx, _ = cell(points[b, n, 0], width)
        j, fy, _ = cell(points[b, n, 1], height)
        plane = planes[b if grids > 1 else 0]
        places = square(i, j, width, height, channels)
        mix(lanes, out, flat * channels, plane, places, square_weights(fx, fy))


@njit(**options)
def _bilinear_back(lanes, planes, points, grad, copies, d_points, copy, start, stop):  # type: ignore[no-untyped-def]
    grids, height, width, channels = planes.shape
    count = points.shape[1]
    to_planes = copies.shape[0] > 0
    to_points = d_points.shape[0] > 0
    for flat in range(start, stop):
        b = flat // count
        n = flat - b * count
        g = b if grids > 1 else 0
        i, fx, dx = cell(points[b, n, 0], width)
        j, fy, dy = cell(points[b, n, 1], height)
        places = square(i, j, width, height, channels)
        at = flat * channels
        if to_planes:
            scatter(lanes, copies[copy, g], places, square_weights(fx, fy), grad, at)
        if to_points:
            values = dots(lanes, planes[g], places, grad, at)
            d_points[b, n, 0], d_points[b, n, 1] = square_slopes(values, fx, fy, dx, dy)


@njit(**options)
def _trilinear(lanes, volumes, points, out, start, stop):  # type: ignore[no-untyped-def]
    grids, depth, height, width, channels = volumes.shape
    count = points.shape[1]
    for flat in range(start, stop):
        b = flat // count
        n = flat - b * count
        i, fx, _ = cell(points[b, n, 0], width)
        j, fy, _ = cell(points[b, n, 1], height)
        k, fz, _ = cell(points[b, n, 2], depth)
        volume = volumes[b if grids > 1 else 0]
        places = cube(i, j, k, width, height, depth, channels)
        mix(lanes, out, flat * channels, volume, places, cube_weights(fx, fy, fz))


@njit(**options)
def _trilinear_back(lanes, volumes, points, grad, copies, d_points, copy, start, stop):  # type: ignore[no-untyped-def]
    grids, depth, height, width, channels = volumes.shape
    count = points.shape[1]
    to_volumes = copies.shape[0] > 0
    to_points = d_points.shape[0] > 0
    for flat in range(start, stop):
        b = flat // count
        n = flat - b * count
        g = b if grids > 1 else 0
        i, fx, dx = cell(points[b, n, 0], width)
        j, fy, dy = cell(points[b, n, 1], height)
        k, fz, dz = cell(points[b, n, 2], depth)
        places = cube(i, j, k, width, height, depth, channels)
        at = flat * channels
        if to_volumes:
            scatter(lanes, copies[copy, g], places, cube_weights(fx, fy, fz), grad, at)
        if to_points:
            values = dots(lanes, volumes[g], places, grad, at)
            slopes = cube_slopes(values, fx, fy, fz, dx, dy, dz)
            d_points[b, n, 0], d_points[b, n, 1], d_points[b, n, 2] = slopes
