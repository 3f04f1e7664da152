"""A picture of the window, or of any rectangle around it, one bounded tile after another."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from render.guide import NOTHING, Guide
from render.person import Drive, Person, SamplingSettings
from render.rays import rotation_matrices

# Rays a tile: memory stays below 100 MB whatever the picture's size, and the arrays of a tile
# stay in the second-level cache of a laptop.
TILE = 8192


def pixel_points(
    left: float, top: float, right: float, bottom: float, width: int, height: int
) -> Tensor:
    """Centres of the pixels of a rectangle of the window, [height, width, 2]."""
    x = left + (torch.arange(width) + 0.5) * ((right - left) / width)
    y = top + (torch.arange(height) + 0.5) * ((bottom - top) / height)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def head_rectangle(person: Person, drive: Drive) -> Tensor:
    """Window rectangle (left, top, right, bottom) [B, 4] that holds the head's box."""
    box = person.head.box
    corners = torch.cartesian_prod(box[:, 0], box[:, 1], box[:, 2])  # [8, 3]
    matrices = rotation_matrices(drive.rotation)
    posed = corners @ matrices.transpose(1, 2) + drive.translation[:, None]
    # A box that reaches behind the camera is seen everywhere.
    depth = (-posed[..., 2]).clamp(min=1e-3)
    u = person.camera.centre[0] + person.camera.focal * posed[..., 0] / depth
    v = person.camera.centre[1] - person.camera.focal * posed[..., 1] / depth
    return torch.stack([u.amin(1), v.amin(1), u.amax(1), v.amax(1)], dim=-1)


@torch.no_grad()
def picture(
    person: Person,
    drive: Drive,  # of one frame, B = 1
    points: Tensor,  # [H, W, 2] window, a regular grid
    sampling: SamplingSettings,
    background: Tensor | None = None,  # [H, W, 3], in place of the learned one
) -> Tensor:  # [H, W, 3], 0..1, clipped
    """003 Eq. 2 for every pixel, by rays of its own; the coarse stage is shared by neighbours
    (`render.guide`), and nothing is cast where it says that there is nothing."""
    shape = points.shape[:2]
    flat = points.reshape(1, -1, 2)
    rectangle = head_rectangle(person, drive)[0]
    guide = Guide(person, drive, points, rectangle, sampling.coarse)
    consistency = person.consistency(drive.motion)
    driven = person.head.drive(drive.expression, consistency)
    out = torch.zeros(flat.shape[1], 3, device=flat.device)
    through = torch.ones(flat.shape[1], device=flat.device)  # what the head leaves to be seen
    left, top, right, bottom = rectangle
    u, v = flat[0].unbind(-1)
    inside = (u > left) & (u < right) & (v > top) & (v < bottom)
    for some in _tiles(torch.nonzero(inside)[:, 0]):
        some = some[guide.head(flat[:, some])]
        there = flat[:, some]
        seen, opacity = person.guided_head(driven, drive, there, guide.of(there), sampling.fine)
        out[some], through[some] = seen[0], 1.0 - opacity[0]
    replaced = None if background is None else background.reshape(1, -1, 3)
    for some in _tiles(torch.nonzero(through > NOTHING)[:, 0]):
        there = flat[:, some]
        behind = person.background(there) if replaced is None else replaced[:, some]
        worn = guide.torso(there)
        behind[:, worn] = person.behind(consistency, drive, there[:, worn], behind[:, worn])[0]
        out[some] += through[some, None] * behind[0]
    return out.view(*shape, 3).clamp_(0.0, 1.0)


def _tiles(rows: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(rows), TILE):
        yield rows[start : start + TILE]
