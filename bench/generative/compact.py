"""A picture's features, shrunk to 4x4: what CFTE sends, and what FV2V reads a head's pose from."""

from __future__ import annotations

from typing import Any

from bench.generative.settings import COMPACT, MethodSettings
from codec.mttf.backend import Module, nn
from codec.mttf.blocks import Normalisation, UNet

Tensor = Any
FEATURES = 32  # channels behind the U-Net


class CompactFeatures(Module):
    """A U-Net, halvings with GDN down to 4x4, and `last` over what is left:
    [B, 3, g, g] -> [B, D], `last`'s output flattened."""

    def __init__(self, settings: MethodSettings, last: Any) -> None:
        """last: a module that takes [B, FEATURES, 4, 4]."""
        super().__init__()
        layers: list[Any] = [UNet(3, settings.detector, FEATURES)]
        for _ in range((settings.grid // COMPACT).bit_length() - 1):
            layers += [nn.Conv2d(FEATURES, FEATURES, 3, 2, 1), Normalisation(FEATURES)]
        self.net = nn.Sequential(*layers, last)

    def forward(self, small: Tensor) -> Tensor:
        return self.net(2 * small - 1).flatten(1)
