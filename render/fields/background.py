"""The background: a still picture, learned where the person ever uncovers it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from render.fields.settings import FieldSettings
from render.interpolate import plane_samples


class Background(nn.Module):
    def __init__(self, settings: FieldSettings) -> None:
        super().__init__()
        self.plane = nn.Parameter(torch.full((1, settings.background, settings.background, 3), 0.5))

    def forward(self, points: Tensor) -> Tensor:
        """Window points [B, N, 2], 0..1 -> colour [B, N, 3]."""
        # Texel centres, so that a picture of the window is the plane itself.
        size = self.plane.shape[1]
        unit = (points * size - 0.5) * (2.0 / (size - 1)) - 1.0
        return plane_samples(self.plane, unit)
