"""A picture of the window, or of any rectangle around it, one bounded tile after another."""

from __future__ import annotations

import torch
from torch import Tensor

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
    points: Tensor,  # [H, W, 2] window
    sampling: SamplingSettings,
    background: Tensor | None = None,  # [H, W, 3], in place of the learned one
) -> Tensor:  # [H, W, 3], 0..1, clipped
    """003 Eq. 2 for every pixel; rays are cast only where the head can be."""
    shape = points.shape[:2]
    flat = points.reshape(1, -1, 2)
    consistency = person.consistency(drive.motion)
    behind = None if background is None else background.reshape(1, -1, 3)
    out = torch.empty(flat.shape[1], 3, device=flat.device)
    for start in range(0, flat.shape[1], TILE):
        tile = slice(start, start + TILE)
        out[tile] = person.behind(
            consistency, drive, flat[:, tile], None if behind is None else behind[:, tile]
        )[0][0]
    driven = person.head.drive(drive.expression, consistency)
    left, top, right, bottom = head_rectangle(person, drive)[0]
    u, v = flat[0, :, 0], flat[0, :, 1]
    rows = torch.nonzero((u > left) & (u < right) & (v > top) & (v < bottom))[:, 0]
    for start in range(0, len(rows), TILE):
        some = rows[start : start + TILE]
        layers = person.head_layers(driven, drive, flat[:, some], sampling)
        opacity = layers.head_opacity[0, :, None]
        out[some] = layers.head[0] + (1.0 - opacity) * out[some]
    return out.view(*shape, 3).clamp_(0.0, 1.0)
