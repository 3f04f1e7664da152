"""Coarse-to-fine motion estimation, MTTF section III-C.

B pictures, N_F latents, g the motion grid's side; motions are x, y in -1 .. 1, where to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codec.mttf.backend import Module, nn, torch
from codec.mttf.blocks import UNet, deformed, identity_grid
from codec.mttf.guide import CANDIDATES, HINTS, Guidance
from codec.mttf.settings import NetworkSettings

Tensor = Any


@dataclass(frozen=True)
class Motion:
    """foreground, background: m_fg, m_bg [B, g, g, 2].  occlusion: occ_fg [B, 1, g, g], 1 where
    the key frame shows what is wanted.  hints: [B, 5, g, g] of what guided it, None for nothing."""

    foreground: Tensor
    background: Tensor
    occlusion: Tensor
    hints: Tensor | None = None


class MotionEstimator(Module):
    """Eq. 9 to 16.  Eq. 14 and 15 are printed with softmax(m); the weights w are what is meant.

    FL gives offsets from staying in place, small at the start; W's occlusion starts open.  Where a
    mesh guides (ours), what face and body say are two more foreground motions, the first ones: at
    the start they are followed as far as they are to be trusted.  The background's first one is
    to stay, as a camera on a desk does: a motion learned from few people bends walls behind others.
    """

    _GAIN = 4.0
    _REACH = 0.2  # of FL's output in picture halves: one unit is a tenth of the picture
    _TRUST = 6.0  # before the softmax
    _STILL = 4.0  # the same of a background that stays
    _PAINTED = 8.0  # before the sigmoid: how far what no key frame shows is not taken from one

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        count = 2 * settings.latents
        guided = CANDIDATES if settings.mesh else 0
        told = 2 * guided + HINTS if guided else 0
        self.split = (count - settings.background + guided, settings.background + (guided > 0))
        self.flow = UNet(count + told, settings.flow, 2 * count, settings.ends)
        count = sum(self.split)
        seen = 2 * settings.latents + told + 3 * count
        self.weight = UNet(seen, settings.weight, count + 1, settings.ends)
        nn.init.normal_(self.flow.last.weight, std=1e-3)
        nn.init.zeros_(self.flow.last.bias)
        nn.init.normal_(self.weight.last.weight, std=1e-3)
        nn.init.zeros_(self.weight.last.bias)
        self.weight.last.bias.data[-1] = 3.0

    def forward(
        self, key: Tensor, field_key: Tensor, field: Tensor, guidance: Guidance | None = None
    ) -> Motion:
        """key: D(I) [B, 3, g, g].  field_key, field: F of the key and of this frame."""
        stay = identity_grid(key.shape[-1], key)
        # What differs from the key is small beside what identity adds to both: shown by itself,
        # and larger, which a first convolution of (F_key, F) could do, too, but learns slowly.
        known = [field_key, self._GAIN * (field - field_key)]
        if guidance is not None:
            moved = (guidance.motion - stay[:, None]) / self._REACH
            known += [moved.permute(0, 1, 4, 2, 3).flatten(1, 2), guidance.hints]
        both = torch.cat(known, dim=1)
        offsets = self.flow(both).unflatten(1, (-1, 2))  # Eq. 9: [B, 2 N_F, 2, g, g]
        flows = stay[:, None] + self._REACH * offsets.permute(0, 1, 3, 4, 2)
        if guidance is not None:
            own = self.split[0] - CANDIDATES
            still = stay[:, None].expand(len(flows), -1, -1, -1, -1)
            flows = torch.cat([guidance.motion, flows[:, :own], still, flows[:, own:]], dim=1)
        count = flows.shape[1]
        out = self.weight(torch.cat([both, deformed(key, flows)], dim=1))  # Eq. 10, 11, 16
        weights, shown = out[:, :count], out[:, count:]
        if guidance is not None:
            shown = shown - self._PAINTED * guidance.novel
            fore, back = weights.split(self.split, 1)
            first = fore[:, :CANDIDATES] + self._TRUST * guidance.hints[:, :CANDIDATES]
            weights = torch.cat(
                [first, fore[:, CANDIDATES:], back[:, :1] + self._STILL, back[:, 1:]], dim=1
            )
        parts = zip(flows.split(self.split, 1), weights.split(self.split, 1))  # Eq. 12, 13
        fore, back = [(w.softmax(1)[..., None] * f).sum(1) for f, w in parts]  # Eq. 14, 15
        hints = None if guidance is None else guidance.hints
        return Motion(fore, back, torch.sigmoid(shown), hints)
