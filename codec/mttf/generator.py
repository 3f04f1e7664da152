"""Foreground and background generated beside each other, at any of the resolutions.

MTTF sections III-D and III-E.  B pictures, R their side, g the motion grid's, n_u up-samplings
between the two, N_B blocks.  e_i are the encoder's features, e_0 the key frame itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codec.mttf.backend import Module, functional, nn, torch
from codec.mttf.blocks import UNet, conv_block, doubled, halved, resized, warped
from codec.mttf.motion import Motion
from codec.mttf.settings import NetworkSettings

Tensor = Any
_EDGE = 1 / 510  # half a step of 8 bits: what the logarithms of black and white are taken of


@dataclass(frozen=True)
class Generated:
    """picture: [B, 3, R, R] in 0 .. 1.  mask: M_fg [B, 1, R, R].  motion: that it was made by."""

    picture: Tensor
    mask: Tensor
    motion: Motion


class Generator(Module):
    """Eq. 18 to 23, one set of weights for all resolutions.

    Ours, and why:
    - A down-sampling block d is the block g of its place after halving, an up-sampling block u is
      g after doubling.  So every weight is trained at every resolution, where MTTF shares blocks
      by the size of what goes in or comes out.
    - The last blend of Eq. 21, with e_0, and the background's output are blends with the warped
      key frame itself before the sigmoid: P = sigmoid(out + occ . logit(key * m)).  Untrained, it
      shows the key frame; what it cannot explain stays as sharp as that.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        c, back = settings.foreground, settings.scenery
        self.encoder = nn.ModuleList(
            conv_block(3 if i == 0 else c[i], c[i + 1]) for i in range(settings.blocks)
        )
        self.decoder = nn.ModuleList(
            conv_block(c[i + 1], c[i]) for i in reversed(range(settings.blocks))
        )
        self.foreground = nn.Conv2d(c[0], 4, 3, padding=1)
        self.ground = UNet(3, settings.ground, back[-1])
        self.scenery = nn.ModuleList(
            conv_block(back[i + 1], back[i]) for i in reversed(range(settings.blocks))
        )
        self.background = nn.Conv2d(back[0], 3, 3, padding=1)
        for last in (self.foreground, self.background):
            nn.init.normal_(last.weight, std=1e-3)
            nn.init.zeros_(last.bias)

    def encode(self, key: Tensor) -> list[Tensor]:
        """Eq. 20 without its warping: key [B, 3, R, R] -> e_1 .. e_NB; the first N_B - n_u keep
        the size, the others halve it.  Once a key frame, not once a frame."""
        halvings = self.settings.samplings(key.shape[-1])
        features, x = [], 2 * key - 1
        for i, block in enumerate(self.encoder):
            x = block(halved(x) if i >= len(self.encoder) - halvings else x)
            features.append(x)
        return features

    def forward(self, key: Tensor, features: list[Tensor], motion: Motion) -> Generated:
        """key: [B, 3, R, R] in 0 .. 1.  features: `encode(key)`."""
        doublings = self.settings.samplings(key.shape[-1])
        fore = self._foreground(key, features, motion, doublings)
        back = self._background(key, motion, doublings)
        mask = torch.sigmoid(fore[:, 3:])  # Eq. 22
        picture = mask * torch.sigmoid(fore[:, :3]) + (1 - mask) * back  # Eq. 23
        return Generated(picture, mask, motion)

    def _foreground(
        self, key: Tensor, features: list[Tensor], motion: Motion, doublings: int
    ) -> Tensor:
        """Eq. 20 to 22 before the sigmoid: [B, 4, R, R]."""
        x = warped(features[-1], motion.foreground)
        for i, block in enumerate(self.decoder):
            x = block(doubled(x) if i < doublings else x)
            if i + 1 < len(self.decoder):
                seen = warped(features[-2 - i], motion.foreground)
                occlusion = _enlarged(motion.occlusion, x.shape[-1])
                x = x * (1 - occlusion) + seen * occlusion
        seen = _logit(warped(key, motion.foreground))
        out = self.foreground(x)
        occlusion = _enlarged(motion.occlusion, key.shape[-1])
        return torch.cat([out[:, :3] + occlusion * seen, out[:, 3:]], dim=1)

    def _background(self, key: Tensor, motion: Motion, doublings: int) -> Tensor:
        """Eq. 18 and 19: [B, 3, R, R] in 0 .. 1."""
        small = resized(key, self.settings.grid)
        x = self.ground(2 * warped(small, motion.background) - 1)
        for i, block in enumerate(self.scenery):
            x = block(doubled(x) if i < doublings else x)
        return torch.sigmoid(self.background(x) + _logit(warped(key, motion.background)))


def _enlarged(x: Tensor, side: int) -> Tensor:
    if x.shape[-1] == side:
        return x
    return functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)


def _logit(x: Tensor) -> Tensor:
    return torch.logit(x.clamp(_EDGE, 1 - _EDGE))
