"""The generator that the methods share: the key frame's features, moved, made into a picture.

Siarohin et al., "First Order Motion Model for Image Animation", NeurIPS 2019 (FOMM), section 3.2.
B pictures of side R, g the motion grid's.
"""

from __future__ import annotations

from typing import Any

from bench.generative.settings import MethodSettings
from codec.mttf.backend import Module, nn, torch
from codec.mttf.blocks import conv_block, enlarged, logit, warped
from codec.mttf.generator import Generated, Warping
from codec.mttf.motion import Motion

Tensor = Any


class Residual(Module):
    """x + f(x), f two convolutions, the second small at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv_block(width, width)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(self.first(x))


class PictureGenerator(Warping):
    """FOMM's Eq. 8, O (.) f_w(xi, T), on the grid; residual blocks; then up, every level blended
    with the encoder's as MTTF does (001's Eq. 21).  The last blend is with the warped key frame
    itself, before the sigmoid: as in our MTTF, so that no method is sharper by that alone."""

    def __init__(self, settings: MethodSettings) -> None:
        widths = settings.features
        super().__init__(settings, widths)
        self.residuals = nn.Sequential(*(Residual(widths[-1]) for _ in range(settings.residuals)))
        self.last = nn.Conv2d(widths[0], 3, 3, padding=1)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)

    def forward(self, key: Tensor, features: list[Tensor], motion: Motion) -> Generated:
        """key: [B, 3, R, R] in 0 .. 1.  features: `encode(key)`.  The person is not told from the
        background."""
        moved = warped(features[-1], motion.foreground) * motion.occlusion  # Eq. 8
        doublings = self.settings.samplings(key.shape[-1])
        x = self.decode(self.residuals(moved), features, motion, doublings)
        trusted = enlarged(motion.occlusion, key.shape[-1])
        seen = logit(warped(key, motion.foreground))
        return Generated(torch.sigmoid(self.last(x) + trusted * seen), None, motion)
