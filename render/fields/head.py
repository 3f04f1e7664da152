"""The head: a radiance field in the head's canonical space, driven by the expression.

003 Eq. 1, N(delta, theta, phi, x, y, z) = (c, sigma), with the expression delta (the 30-number
code, gaze and lids) acting in three places: it bends space before the lookup, it blends a small
set of feature planes, and it enters the colour network.  The first two are linear in delta, so
one frame costs one weighted sum of small grids, whatever the number of rays.

A sample's colour has two parts.  Three of its features are a colour already and are integrated
by 003 Eq. 2 as they are.  The other part, what depends on expression, direction and light, is
decoded by a network once a ray from the accumulated features, instead of once a sample: where
the network is affine both are the same integral; elsewhere it is the network of the mean instead
of the mean of the network, at an eighth of the cost.

Letters: B frames, R rays a frame, S samples a ray, K driving numbers, C feature channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from render.fields.colour import ColourNetwork
from render.fields.settings import COLOUR, FieldSettings
from render.interpolate import plane_samples, volume_samples


@dataclass
class DrivenHead:
    """The head's grids for B frames, after the expression has acted on them."""

    warp: Tensor  # [B, D, H, W, 3], offsets in box units
    blend: Tensor  # [B, H, W, C]
    code: Tensor  # [B, frame inputs of the colour network]


class HeadField(nn.Module):
    box: Tensor  # [2, 3] metres, lower and upper corner in head space

    def __init__(self, settings: FieldSettings, drivers: int) -> None:
        super().__init__()
        self.settings = settings
        s = settings
        self.register_buffer("box", torch.tensor([[-0.13, -0.17, -0.12], [0.13, 0.16, 0.13]]))
        self.coarse = nn.Parameter(torch.zeros(1, *s.coarse, 4))  # density logit and colour
        self.front = nn.Parameter(_features(s.plane, s.plane, s.channels))  # over (y, x)
        self.top = nn.Parameter(_features(s.side, s.plane // 2, s.channels))  # over (z, x)
        self.profile = nn.Parameter(_features(s.side, s.plane // 2, s.channels))  # over (z, y)
        self.blend = nn.Parameter(torch.zeros(drivers, s.blend * s.blend * s.blend_channels))
        self.warp = nn.Parameter(torch.zeros(drivers, s.warp[0] * s.warp[1] * s.warp[2] * 3))
        self.colour = ColourNetwork(
            s.channels + s.blend_channels + 3, drivers + s.consistency, s.hidden, 3
        )

    def drive(
        self,
        drivers: Tensor,  # [B, K]
        consistency: Tensor,  # [B, consistency]
    ) -> DrivenHead:
        s = self.settings
        return DrivenHead(
            warp=(drivers @ self.warp).view(-1, *s.warp, 3),
            blend=(drivers @ self.blend).view(-1, s.blend, s.blend, s.blend_channels),
            code=torch.cat([drivers, consistency], dim=-1),
        )

    def to_box(self, points: Tensor) -> Tensor:
        """Head space [..., 3] in metres -> box units, -1..1."""
        return (points - self.box[0]) * (2.0 / (self.box[1] - self.box[0])) - 1.0

    def bend(self, head: DrivenHead, points: Tensor) -> Tensor:
        """Box units [B, N, 3] as posed -> canonical box units: where the point came from."""
        return points + volume_samples(head.warp, points)

    def coarse_samples(self, canonical: Tensor) -> tuple[Tensor, Tensor]:
        """Canonical box units [B, N, 3] -> density [B, N] in 1/m, colour [B, N, 3]."""
        sampled = volume_samples(self.coarse, canonical)
        return self._density(sampled[..., 0]), sampled[..., COLOUR]

    def fine_samples(self, head: DrivenHead, canonical: Tensor) -> tuple[Tensor, Tensor]:
        """Canonical box units [B, N, 3] -> density [B, N] in 1/m, features [B, N, C + blend]."""
        x, y, z = canonical[..., 0], canonical[..., 1], canonical[..., 2]
        front = torch.stack([x, y], dim=-1)
        features = (
            plane_samples(self.front, front)
            + plane_samples(self.top, torch.stack([x, z], dim=-1))
            + plane_samples(self.profile, torch.stack([y, z], dim=-1))
        )
        logit = volume_samples(self.coarse[..., :1], canonical)[..., 0] + features[..., 0]
        blended = plane_samples(head.blend, front)
        return self._density(logit), torch.cat([features, blended], dim=-1)

    def shade(
        self,
        head: DrivenHead,
        features: Tensor,  # [B, R, C + blend], accumulated along each ray
        opacity: Tensor,  # [B, R]
        directions: Tensor,  # [B, R, 3] unit viewing directions in head space
    ) -> Tensor:  # [B, R, 3] colour times opacity, 0..1 but not clipped
        # (theta, phi) of Eq. 1 enters as the sideways parts of the direction: they are the
        # angles near the front, and have no seam.
        inputs = torch.cat([features, opacity[..., None], directions[..., :2]], dim=-1)
        return features[..., COLOUR] + opacity[..., None] * self.colour(inputs, head.code)

    def _density(self, logit: Tensor) -> Tensor:
        return functional.softplus(logit) * self.settings.density_scale


def _features(height: int, width: int, channels: int) -> Tensor:
    # Faint: what a texel has not learned yet must not show as noise.
    grid = torch.randn(1, height, width, channels) * 0.02
    grid[..., : COLOUR.stop] = 0.0
    return grid
