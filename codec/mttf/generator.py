"""Foreground and background generated beside each other, at any of the resolutions.

MTTF sections III-D and III-E.  B pictures, R their side, g the motion grid's, n_u up-samplings
between the two, N_B blocks.  e_i are the encoder's features, e_0 the key frame itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codec.mttf.backend import Module, nn, torch
from codec.mttf.blocks import (
    UNet,
    conv_block,
    doubled,
    enlarged,
    halved,
    logit,
    resized,
    warped,
)
from codec.mttf.guide import HINTS
from codec.mttf.motion import Motion
from codec.mttf.settings import NetworkSettings, Resolutions

Tensor = Any


@dataclass(frozen=True)
class Generated:
    """picture: [B, 3, R, R] in 0 .. 1.  mask: M_fg [B, 1, R, R]; None where a network tells no
    foreground from the background.  motion: that it was made by."""

    picture: Tensor
    mask: Tensor
    motion: Motion


class Warping(Module):
    """An encoder whose every level is seen through the motion by the decoder's level beside it,
    Eq. 20 and 21: what MTTF makes its foreground by, and others whole pictures.

    A down-sampling block d is the block g of its place after halving, an up-sampling block u is
    g after doubling.  So every weight is trained at every resolution, where MTTF shares blocks
    by the size of what goes in or comes out; ours.
    """

    def __init__(self, settings: Resolutions, widths: tuple[int, ...], hints: int = 0) -> None:
        """widths: c_0 .. c_NB.  hints: channels that the decoder is told on the grid besides."""
        super().__init__()
        self.settings = settings
        self.encoder = nn.ModuleList(
            conv_block(3 if i == 0 else widths[i], widths[i + 1]) for i in range(settings.blocks)
        )
        last = settings.blocks - 1
        self.decoder = nn.ModuleList(
            conv_block(widths[i + 1] + (hints if i == last else 0), widths[i])
            for i in reversed(range(settings.blocks))
        )

    def encode(self, key: Tensor) -> list[Tensor]:
        """Eq. 20 without its warping: key [B, 3, R, R] -> e_1 .. e_NB; the first N_B - n_u keep
        the size, the others halve it.  Once a key frame, not once a frame."""
        halvings = self.settings.samplings(key.shape[-1])
        features, x = [], 2 * key - 1
        for i, block in enumerate(self.encoder):
            x = block(halved(x) if i >= len(self.encoder) - halvings else x)
            features.append(x)
        return features

    def decode(self, x: Tensor, features: list[Tensor], motion: Motion, doublings: int) -> Tensor:
        """Eq. 20 and 21 up to the last blend: from the grid [B, c_NB + hints, g, g] to
        [B, c_0, R, R]."""
        for i, block in enumerate(self.decoder):
            x = block(doubled(x) if i < doublings else x)
            if i + 1 < len(self.decoder):
                seen = warped(features[-2 - i], motion.foreground)
                occlusion = enlarged(motion.occlusion, x.shape[-1])
                x = x * (1 - occlusion) + seen * occlusion
        return x


class Generator(Warping):
    """Eq. 18 to 23, one set of weights for all resolutions.

    Ours: the last blend of Eq. 21, with e_0, and the background's output are blends with the
    warped key frame itself before the sigmoid: P = sigmoid(out + occ . logit(key * m)).
    Untrained, it shows the key frame; what it cannot explain stays as sharp as that.  Where a mesh
    guides, the foreground is told its hints: how far a mouth is open does not follow from what
    the key frame shows of it.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings, settings.foreground, HINTS if settings.mesh else 0)
        c, back = settings.foreground, settings.scenery
        self.foreground = nn.Conv2d(c[0], 4, 3, padding=1)
        self.ground = UNet(3, settings.ground, back[-1])
        self.scenery = nn.ModuleList(
            conv_block(back[i + 1], back[i]) for i in reversed(range(settings.blocks))
        )
        self.background = nn.Conv2d(back[0], 3, 3, padding=1)
        for last in (self.foreground, self.background):
            nn.init.normal_(last.weight, std=1e-3)
            nn.init.zeros_(last.bias)

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
        if motion.hints is not None:
            x = torch.cat([x, motion.hints.to(x)], dim=1)
        x = self.decode(x, features, motion, doublings)
        seen = logit(warped(key, motion.foreground))
        out = self.foreground(x)
        occlusion = enlarged(motion.occlusion, key.shape[-1])
        return torch.cat([out[:, :3] + occlusion * seen, out[:, 3:]], dim=1)

    def _background(self, key: Tensor, motion: Motion, doublings: int) -> Tensor:
        """Eq. 18 and 19: [B, 3, R, R] in 0 .. 1."""
        small = resized(key, self.settings.grid)
        x = self.ground(2 * warped(small, motion.background) - 1)
        for i, block in enumerate(self.scenery):
            x = block(doubled(x) if i < doublings else x)
        return torch.sigmoid(self.background(x) + logit(warped(key, motion.background)))
