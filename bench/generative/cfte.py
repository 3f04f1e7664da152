"""CFTE: B. Chen et al., "Beyond keypoint coding: temporal evolution inference with compact feature
representation for talking face video compression", DCC 2022.  A 4x4 matrix, 16 numbers a frame.

After 002's description: a frame's features shrink to a compact matrix; the receiver takes the
same of the key frame, and infers the motion from both.  What is not said there is ours: the
number of candidate motions, and that they are blended as FOMM's are.
"""

from __future__ import annotations

from typing import Any

from bench.generative.compact import FEATURES, CompactFeatures
from bench.generative.dense import with_rest
from bench.generative.method import HeldKey, Method
from bench.generative.settings import COMPACT, POINTS, MethodSettings
from codec.mttf.backend import nn, torch
from codec.mttf.blocks import conv_block, doubled, identity_grid

Tensor = Any
_WIDTH = 32  # on the way back
_HINTS = 8
_REACH = 0.2  # of the motions' network in picture halves
_GAIN = 4.0  # what differs from the key frame, beside what identity adds to both


class Cfte(Method):
    """As many candidate motions as the others have, each with an offset for every place."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, POINTS + 1, _HINTS)
        self.features = CompactFeatures(settings, nn.Conv2d(FEATURES, 1, 3, padding=1))
        count = (settings.grid // COMPACT).bit_length() - 1
        self.up = nn.ModuleList(conv_block(_WIDTH if i else 2, _WIDTH) for i in range(count + 1))
        self.last = nn.Conv2d(_WIDTH, 2 * POINTS + _HINTS, 3, padding=1)
        nn.init.normal_(self.last.weight, std=1e-2)
        nn.init.zeros_(self.last.bias)

    def numbers(self, small: Tensor) -> Tensor:
        return self.features(small)

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.stack([held.own, _GAIN * (vectors - held.own)], dim=1)
        x = x.unflatten(2, (COMPACT, COMPACT))  # [B, 2, 4, 4]
        for i, block in enumerate(self.up):
            x = block(doubled(x) if i else x)
        out = self.last(x).float()
        offsets = out[:, : 2 * POINTS].unflatten(1, (POINTS, 2)).permute(0, 1, 3, 4, 2)
        flows = identity_grid(held.side, out)[:, None] + _REACH * offsets
        return with_rest(flows), out[:, 2 * POINTS :]
