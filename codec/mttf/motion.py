"""Coarse-to-fine motion estimation, MTTF section III-C.

B pictures, N_F latents, g the motion grid's side; motions are x, y in -1 .. 1, where to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codec.mttf.backend import Module, nn, torch
from codec.mttf.blocks import UNet, deformed, identity_grid
from codec.mttf.settings import NetworkSettings

Tensor = Any


@dataclass(frozen=True)
class Motion:
    """foreground, background: m_fg, m_bg [B, g, g, 2].  occlusion: occ_fg [B, 1, g, g], 1 where
    the key frame shows what is wanted."""

    foreground: Tensor
    background: Tensor
    occlusion: Tensor


class MotionEstimator(Module):
    """Eq. 9 to 16.  Eq. 14 and 15 are printed with softmax(m); the weights w are what is meant.

    FL gives offsets from staying in place, small at the start; W's occlusion starts open.
    """

    _GAIN = 4.0
    _REACH = 0.2  # of FL's output in picture halves: one unit is a tenth of the picture

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        count = 2 * settings.latents
        self.split = (count - settings.background, settings.background)
        self.flow = UNet(2 * settings.latents, settings.flow, 2 * count, settings.ends)
        self.weight = UNet(
            2 * settings.latents + 3 * count, settings.weight, count + 1, settings.ends
        )
        nn.init.normal_(self.flow.last.weight, std=1e-3)
        nn.init.zeros_(self.flow.last.bias)
        nn.init.normal_(self.weight.last.weight, std=1e-3)
        nn.init.zeros_(self.weight.last.bias)
        self.weight.last.bias.data[-1] = 3.0

    def forward(self, key: Tensor, field_key: Tensor, field: Tensor) -> Motion:
        """key: D(I) [B, 3, g, g].  field_key, field: F of the key and of this frame."""
        side = key.shape[-1]
        # What differs from the key is small beside what identity adds to both: shown by itself,
        # and larger, which a first convolution of (F_key, F) could do, too, but learns slowly.
        both = torch.cat([field_key, self._GAIN * (field - field_key)], dim=1)
        offsets = self.flow(both).unflatten(1, (-1, 2))  # Eq. 9: [B, 2 N_F, 2, g, g]
        flows = identity_grid(side, key)[:, None] + self._REACH * offsets.permute(0, 1, 3, 4, 2)
        count = flows.shape[1]
        out = self.weight(torch.cat([both, deformed(key, flows)], dim=1))  # Eq. 10, 11, 16
        weights, occlusion = out[:, :count], torch.sigmoid(out[:, count:])
        parts = zip(flows.split(self.split, 1), weights.split(self.split, 1))  # Eq. 12, 13
        fore, back = [(w.softmax(1)[..., None] * f).sum(1) for f, w in parts]  # Eq. 14, 15
        return Motion(fore, back, occlusion)
