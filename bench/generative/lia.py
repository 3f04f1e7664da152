"""LIA: Y. Wang, D. Yang, F. Bremond and A. Dantcheva, "Latent Image Animator: learning to animate
images via latent space navigation", ICLR 2022.  How far along each of twenty directions: 20 numbers
a frame.

Their flow fields come from every level of a StyleGAN-like decoder and warp features of the same
level; here there is one, on the grid that all methods have, before the generator that all have.
"""

from __future__ import annotations

from typing import Any

from bench.generative.compact import FEATURES, CompactFeatures
from bench.generative.dense import with_rest
from bench.generative.method import HeldKey, Method
from bench.generative.settings import COMPACT, DIRECTIONS, MethodSettings
from codec.mttf.backend import nn, torch
from codec.mttf.blocks import conv_block, doubled, identity_grid

Tensor = Any
_LATENT = 64
_WIDTH = 32  # on the way to the flow
_HINTS = 8
_REACH = 0.5  # of the flow's network in picture halves
_UNIT = 8.0  # a sent magnitude is that many to 1


class Lia(Method):
    """A picture's latent code leads to a reference that nobody has seen; from there the frame is
    `numbers` along orthonormal directions away."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, 2, _HINTS)
        flat = nn.Sequential(nn.Flatten(), nn.Linear(FEATURES * COMPACT**2, _LATENT))
        self.features = CompactFeatures(settings, flat)
        self.magnitudes = nn.Sequential(
            nn.Linear(_LATENT, _LATENT), nn.SiLU(), nn.Linear(_LATENT, DIRECTIONS)
        )
        self.directions = nn.Parameter(torch.randn(_LATENT, DIRECTIONS))
        self.start = nn.Linear(_LATENT, _WIDTH * COMPACT**2)
        count = (settings.grid // COMPACT).bit_length() - 1
        self.up = nn.ModuleList(conv_block(_WIDTH, _WIDTH) for _ in range(count + 1))
        self.last = nn.Conv2d(_WIDTH, 2 + _HINTS, 3, padding=1)
        nn.init.normal_(self.last.weight, std=1e-2)
        nn.init.zeros_(self.last.bias)

    def numbers(self, small: Tensor) -> Tensor:
        return _UNIT * self.magnitudes(self.features(small)).float()

    def basis(self) -> Tensor:
        """[latent, directions], orthonormal: their Eq. 3, by QR as theirs."""
        return torch.linalg.qr(self.directions)[0]

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Their Eq. 2 and 3: z = z_key->reference + sum_i a_i d_i, from which the flow is made."""
        way = (vectors.float() / _UNIT) @ self.basis().T
        x = self.start(self.features(held.small) + way).unflatten(1, (_WIDTH, COMPACT, COMPACT))
        for i, block in enumerate(self.up):
            x = block(doubled(x) if i else x)
        out = self.last(x).float()
        offsets = out[:, :2].permute(0, 2, 3, 1)
        flows = identity_grid(held.side, out) + _REACH * offsets
        return with_rest(flows[:, None]), out[:, 2:]
