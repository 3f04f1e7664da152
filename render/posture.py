"""A torso that is held otherwise than it was learned: its plane bent, once, so that drawing costs
what it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]
_PLANE = "fields.torso.plane"


def bent(tensors: Mapping[str, Array], offsets: Array) -> dict[str, Array]:
    """An avatar's tensors, below "fields." as `render.tensors` names them -> those whose torso is
    `bent_plane`.  offsets: [H, W, 2]."""
    plane = torch.from_numpy(np.asarray(tensors[_PLANE], np.float32))
    grid = torch.from_numpy(np.asarray(offsets, np.float32))
    return {**tensors, _PLANE: bent_plane(plane, grid).numpy()}


def bent_plane(
    plane: Tensor,  # [1, P, P, C]
    offsets: Tensor,  # [H, W, 2] right, down, in window sides, at the corners of an even grid
) -> Tensor:  # [1, P, P, C]
    """What lies at x + offsets(x), cubically, comes to lie at x."""
    side = plane.shape[1]
    axis = torch.linspace(-1.0, 1.0, side)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    away = functional.interpolate(
        offsets.permute(2, 0, 1)[None], size=(side, side), mode="bilinear", align_corners=True
    )
    places = torch.stack([x, y], dim=-1) + 2.0 * away[0].permute(1, 2, 0)
    out = functional.grid_sample(
        plane.permute(0, 3, 1, 2),
        places[None],
        mode="bicubic",
        padding_mode="border",
        align_corners=True,
    )
    return out.permute(0, 2, 3, 1).contiguous()
