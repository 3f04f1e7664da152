"""The torso: a field in camera space, one layer deep, and the code that ties it to the head.

Shoulders move little in depth, so the torso is a feature plane facing the camera, moved by the
tracked torso motion, bent by the consistency code, and decoded with it.

The consistency code is 003's "learnable constraint code" (section 3.2, Table 3): z + Z m, with m
the motion of head and torso.  Head and torso both take it, so that what the one does to the
neck, the shadow and the light is known to the other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from render.fields.colour import ColourNetwork
from render.fields.settings import COLOUR, FieldSettings
from render.interpolate import plane_samples

MOTIONS = 10  # rotation 3, translation 3, torso 4


class ConsistencyCode(nn.Module):
    mean: Tensor  # [10]
    scale: Tensor  # [10]

    def __init__(self, settings: FieldSettings) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(settings.consistency))
        self.response = nn.Parameter(torch.randn(MOTIONS, settings.consistency) * 0.1)
        self.register_buffer("mean", torch.zeros(MOTIONS))
        self.register_buffer("scale", torch.ones(MOTIONS))

    def forward(self, motion: Tensor) -> Tensor:
        """Motion [B, 10] -> code [B, consistency]."""
        # Beyond three deviations nothing was seen: the response stops growing there.
        unit = ((motion - self.mean) / self.scale).clamp(-3.0, 3.0)
        return self.constant + unit @ self.response


class TorsoField(nn.Module):
    pivot: Tensor  # [2] window, the point that the tracked torso motion turns and scales about

    def __init__(self, settings: FieldSettings) -> None:
        super().__init__()
        s = settings
        self.settings = settings
        self.register_buffer("pivot", torch.tensor([0.5, 0.85]))
        plane = torch.randn(1, s.torso_plane, s.torso_plane, s.torso_channels) * 0.02
        plane[..., : COLOUR.stop] = 0.0
        self.plane = nn.Parameter(plane)
        self.warp = nn.Parameter(torch.zeros(s.consistency, s.torso_warp * s.torso_warp * 2))
        self.colour = ColourNetwork(s.torso_channels, s.consistency, s.hidden, 4)

    def forward(
        self,
        points: Tensor,  # [B, N, 2] window, 0..1
        torso: Tensor,  # [B, 4] shift right, shift down, roll, log scale
        consistency: Tensor,  # [B, consistency]
    ) -> tuple[Tensor, Tensor]:  # colour [B, N, 3], opacity [B, N]
        s = self.settings
        unit = self.at_rest(points, torso) * 2.0 - 1.0
        if s.consistency:
            bend = (consistency @ self.warp).view(-1, s.torso_warp, s.torso_warp, 2)
            unit = unit + plane_samples(bend, unit)
        features = plane_samples(self.plane, unit)
        out = self.colour(features, consistency)
        # Four of the features are opacity and colour as they are; the network adds to them.
        opacity = torch.sigmoid(features[..., 0] + out[..., 3])
        return features[..., COLOUR] + out[..., :3], opacity

    def at_rest(self, points: Tensor, torso: Tensor) -> Tensor:
        """Where each window point [B, N, 2] lies when the torso [B, 4] has not moved."""
        moved = points - self.pivot - torso[:, None, :2]
        cos, sin = torch.cos(torso[:, 2])[:, None], torch.sin(torso[:, 2])[:, None]
        x, y = moved[..., 0], moved[..., 1]
        turned = torch.stack([cos * x + sin * y, cos * y - sin * x], dim=-1)
        return turned * torch.exp(-torso[:, 3])[:, None, None] + self.pivot
