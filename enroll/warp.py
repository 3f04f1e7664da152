"""A picture bent by a triangle mesh: where in the source every pixel of the result comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def backward_map(
    triangles: Array, target: Array, depth: Array, source: Array, width: int, height: int
) -> tuple[Array, Array]:
    """Draws a mesh so that nearer triangles cover farther ones.

    triangles: [T, 3] vertex numbers.  target: [V, 2] where vertices come to lie, in pixels of the
    result (pixel centres at .5).  depth: [V], larger is farther.  source: [V, 2] what they show,
    any unit.  Returns the map [height, width, 2] in source's unit and the cover [height, width]
    bool; the map is 0 where nothing covers.  Triangles turned away (wound the other way) are left
    out.
    """
    corners = target[triangles].astype(np.float32)  # [T, 3, 2]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = _cross(b - a, c - a)
    low = np.maximum(np.ceil(corners.min(axis=1) - 0.5), 0).astype(np.int32)
    high = np.floor(corners.max(axis=1) - 0.5).astype(np.int32)
    extent = np.minimum(high, [width - 1, height - 1]).astype(np.int32) - low + 1
    keep = np.flatnonzero((area > 1e-9) & (extent > 0).all(axis=1))
    # The last write wins below, so the nearest triangle is written last.
    keep = keep[np.argsort(-depth[triangles[keep]].mean(axis=1), kind="stable")]
    low, extent, area = low[keep], extent[keep], area[keep]
    a, b, c = a[keep], b[keep], c[keep]
    # Barycentric weights are affine in the pixel: three numbers a triangle for each corner.
    weights = np.empty((len(keep), 2, 3), np.float32)
    for row, edge, sign in ((0, c - a, 1.0), (1, b - a, -1.0)):
        weights[:, row, 0] = sign * edge[:, 1] / area
        weights[:, row, 1] = -sign * edge[:, 0] / area
        weights[:, row, 2] = -(weights[:, row, :2] * (a - 0.5)).sum(axis=1)

    counts = extent[:, 0] * extent[:, 1]
    owner = np.repeat(np.arange(len(keep), dtype=np.int32), counts)
    starts = (np.cumsum(counts) - counts).astype(np.int32)
    number = np.arange(len(owner), dtype=np.int32) - starts[owner]
    down = number // extent[owner, 0]
    columns = low[owner, 0] + number - down * extent[owner, 0]
    rows = low[owner, 1] + down
    gain = weights[owner]
    weight_b = gain[:, 0, 0] * columns + gain[:, 0, 1] * rows + gain[:, 0, 2]
    weight_c = gain[:, 1, 0] * columns + gain[:, 1, 1] * rows + gain[:, 1, 2]
    slack = -1e-4  # a pixel on a shared edge belongs to both rather than to neither
    inside = np.flatnonzero(
        (weight_b >= slack) & (weight_c >= slack) & (weight_b + weight_c <= 1 - slack)
    )
    owner, weight_b, weight_c = owner[inside], weight_b[inside, None], weight_c[inside, None]
    places = rows[inside] * width + columns[inside]
    shown = source[triangles[keep]].astype(np.float32)
    first = shown[:, 0]
    along_b, along_c = shown[:, 1] - first, shown[:, 2] - first
    result = np.zeros((height * width, 2), np.float32)
    cover = np.zeros(height * width, bool)
    result[places] = first[owner] + weight_b * along_b[owner] + weight_c * along_c[owner]
    cover[places] = True
    return result.reshape(height, width, 2), cover.reshape(height, width)


def _cross(a: Array, b: Array) -> Array:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
