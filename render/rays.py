"""Camera rays: from window points to rays in the head's canonical space, and their bounds.

Letters: B frames, R rays a frame.  Spaces as in `avatar.camera`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from avatar.camera import Pinhole


def rotation_matrices(rotvec: Tensor) -> Tensor:
    """Rotation vectors [B, 3] in radians -> matrices [B, 3, 3] (Rodrigues), differentiable at 0."""
    angle2 = (rotvec * rotvec).sum(-1, keepdim=True)[..., None]
    # The series near 0 keeps the gradient finite: d sqrt(x) is not at 0.
    small = angle2 < 1e-6
    angle = torch.sqrt(torch.where(small, torch.ones_like(angle2), angle2))
    a = torch.where(small, 1 - angle2 / 6, torch.sin(angle) / angle)
    b = torch.where(small, 0.5 - angle2 / 24, (1 - torch.cos(angle)) / (angle * angle))
    x, y, z = rotvec.unbind(-1)
    zero = torch.zeros_like(x)
    k = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(-1, 3, 3)
    return torch.eye(3, dtype=k.dtype, device=k.device) + a * k + b * (k @ k)


def camera_directions(camera: Pinhole, points: Tensor) -> Tensor:
    """Window points [..., 2] -> unit directions [..., 3] in camera space."""
    x = (points[..., 0] - camera.centre[0]) / camera.focal
    y = -(points[..., 1] - camera.centre[1]) / camera.focal
    directions = torch.stack([x, y, -torch.ones_like(x)], dim=-1)
    return directions / directions.norm(dim=-1, keepdim=True)


def head_rays(
    camera: Pinhole,
    points: Tensor,  # [B, R, 2] window
    rotation: Tensor,  # [B, 3] rotation vector camera <- head, radians
    translation: Tensor,  # [B, 3] camera <- head, metres
) -> tuple[Tensor, Tensor]:
    """Origins [B, 1, 3] in metres and unit directions [B, R, 3], in head space."""
    matrices = rotation_matrices(rotation)
    origins = -(translation[:, None] @ matrices)  # R^T (0 - t), as row vectors
    return origins, camera_directions(camera, points) @ matrices


def box_bounds(
    box: Tensor,  # [2, 3] lower and upper corner
    origins: Tensor,  # [B, 1, 3]
    directions: Tensor,  # [B, R, 3]
) -> tuple[Tensor, Tensor]:
    """Where each ray enters and leaves the box: b_near, b_far of 003 Eq. 2, both [B, R], metres.

    A ray that misses has b_far <= b_near.
    """
    # Directions of exactly 0 would give 0 * inf; any tiny slope has the same bounds.
    slope = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
    lower = (box[0] - origins) / slope
    upper = (box[1] - origins) / slope
    near = torch.minimum(lower, upper).amax(-1).clamp(min=0.0)
    far = torch.maximum(lower, upper).amin(-1)
    return near, far
