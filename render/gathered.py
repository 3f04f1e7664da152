"""Linear interpolation written out as gathers, for grids of any precision.

A compiler can melt gathers into the kernel of what follows, so that on a GPU a sample's features
never lie in memory.  Texels may be half precision; coordinates, weights and sums are float32.
Shapes and coordinates as in `render.interpolate`, whose plain operators are the twins.
"""

from __future__ import annotations

import torch
from torch import Tensor


def plane_samples_gathered(planes: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples [B, N, C] float32."""
    grids, height, width, channels = planes.shape
    texels = planes.reshape(-1, channels)
    i, i1, fx = _cell(points[..., 0], width)
    j, j1, fy = _cell(points[..., 1], height)
    first = _first(grids, height * width, points.device)
    low, high = first + j * width, first + j1 * width
    near = _between(texels[low + i], texels[low + i1], fx)
    return _between(near, _between(texels[high + i], texels[high + i1], fx), fy)


def volume_samples_gathered(volumes: Tensor, points: Tensor) -> Tensor:
    """Trilinear samples [B, N, C] float32."""
    grids, depth, height, width, channels = volumes.shape
    texels = volumes.reshape(-1, channels)
    i, i1, fx = _cell(points[..., 0], width)
    j, j1, fy = _cell(points[..., 1], height)
    k, k1, fz = _cell(points[..., 2], depth)
    first = _first(grids, depth * height * width, points.device)
    slices = []
    for layer in (k, k1):
        low = first + (layer * height + j) * width
        high = first + (layer * height + j1) * width
        near = _between(texels[low + i], texels[low + i1], fx)
        slices.append(_between(near, _between(texels[high + i], texels[high + i1], fx), fy))
    return _between(slices[0], slices[1], fz)


def _cell(coordinate: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """-1..1 -> lower corner, upper corner, and the fraction between them."""
    place = torch.nan_to_num((coordinate + 1.0) * (0.5 * (size - 1))).clamp(0.0, size - 1)
    corner = place.long().clamp(max=max(size - 2, 0))
    return corner, (corner + 1).clamp(max=size - 1), place - corner


def _first(grids: int, texels: int, device: torch.device) -> Tensor:
    """Where each grid's texels begin, [G, 1]."""
    return (torch.arange(grids, device=device) * texels)[:, None]


def _between(low: Tensor, high: Tensor, fraction: Tensor) -> Tensor:
    low, high = low.float(), high.float()
    return low + (high - low) * fraction[..., None]
