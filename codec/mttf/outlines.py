"""Where mouth and eyes are open, drawn from a face mesh of MediaPipe's topology.

B meshes of P = 478 landmarks, 0 .. 1 of the picture; g the side of the maps.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from codec.mttf.backend import torch
from codec.mttf.blocks import identity_grid

Tensor = Any

# Closed polygons.  Of the lips: their inner edge, round the mouth's inside, and their outer one.
MOUTH = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
IRISES = (468, 469, 470, 471, 472, 473, 474, 475, 476, 477)
_RINGS = ((469, 470, 471, 472), (474, 475, 476, 477))
_SOFT = 0.03  # picture sides from an edge at which a map is all inside or all outside


def outlined(mesh: Tensor, side: int) -> Tensor:
    """[B, P, 2] -> [B, 3, g, g]: mouth, eyes, irises, 1 inside, -1 outside, linear between, so
    that an edge is known more finely than the grid is."""
    grid = (identity_grid(side, mesh)[0].reshape(-1, 2) + 1) / 2
    mouth = _signed(grid, picked(mesh, MOUTH))
    eyes = torch.maximum(*(_signed(grid, picked(mesh, eye)) for eye in EYES))
    irises = torch.maximum(*(_signed(grid, picked(mesh, ring)) for ring in _RINGS))
    maps = torch.stack([mouth, eyes, irises], dim=1) / _SOFT
    return maps.clamp(-1, 1).unflatten(2, (side, side))


def picked(mesh: Tensor, marks: tuple[int, ...]) -> Tensor:
    """[B, P, 2] -> [B, len(marks), 2]."""
    return mesh.index_select(1, _rows(marks, mesh.device))


@cache
def _rows(marks: tuple[int, ...], device: Any) -> Tensor:
    """Once on every device: what a recorded step takes from the host it would take again."""
    return torch.tensor(marks, device=device)


def _signed(grid: Tensor, polygon: Tensor) -> Tensor:
    """Places [N, 2] and polygons [B, E, 2] -> [B, N] the distance to the edge, less than 0
    outside."""
    begin, end = polygon[:, None], polygon.roll(-1, 1)[:, None]  # [B, 1, E, 2]
    along, off = end - begin, grid[None, :, None] - begin  # [B, N, E, 2]
    share = ((off * along).sum(-1) / (along * along).sum(-1).clamp_min(1e-12)).clamp(0, 1)
    far = (off - share[..., None] * along).square().sum(-1).amin(-1).sqrt()
    # Inside is where a ray to the right crosses the edges an odd number of times.
    below = (begin[..., 1] > grid[None, :, None, 1]) != (end[..., 1] > grid[None, :, None, 1])
    right = off[..., 0] * along[..., 1] < off[..., 1] * along[..., 0]
    crossed = below & (right ^ (along[..., 1] < 0))
    return torch.where(crossed.sum(-1) % 2 == 1, far, -far)
