"""Multi-granularity temporal trajectory factorisation: pictures to latents, and to 2 N_F numbers.

MTTF section III-B.  B pictures, N_F latents, g the motion grid's side.
"""

from __future__ import annotations

from typing import Any

from codec.mttf.backend import Module, nn, torch
from codec.mttf.blocks import Normalisation, UNet
from codec.mttf.settings import NetworkSettings

Tensor = Any


class FeatureExtractor(Module):
    """E_F of Eq. 1 and 2: a picture on the grid [B, 3, g, g] -> its latent L [B, N_F, g, g]."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.net = UNet(3, settings.extractor, settings.latents)

    def forward(self, picture: Tensor) -> Tensor:
        return self.net(2 * picture - 1)


class VectorPredictor(Module):
    """E_W of Eq. 3 and 5, E_B of Eq. 4 and 6: a latent [B, N_F, g, g] -> [B, N_F].

    Halvings with GDN down to 4x4, and a last convolution over those: a mean would forget where
    things are.  `start` is what it gives on the average before training: 1 for weights, 0 for
    biases, so that the motion field starts as the latent itself.
    """

    def __init__(self, settings: NetworkSettings, start: float) -> None:
        super().__init__()
        width, count = settings.predictor, (settings.grid // 4).bit_length() - 1
        layers: list[Any] = []
        for i in range(count):
            layers.append(nn.Conv2d(width if i else settings.latents, width, 3, 2, 1))
            layers.append(Normalisation(width))
        self.net = nn.Sequential(*layers, nn.Conv2d(width, settings.latents, 4))
        nn.init.constant_(self.net[-1].bias, start)

    def forward(self, latent: Tensor) -> Tensor:
        return self.net(latent).flatten(1)


class Factors(Module):
    """Eq. 1 to 8.

    Eq. 8 is printed with L_P, which no decoder has; the text around it says that the key frame's
    latent is the basis ("without introducing additional coding bits"), and so it is here:
    F = w . L_key + b for the key frame's and the inter frame's (w, b) alike.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.extractor = FeatureExtractor(settings)
        self.weights = VectorPredictor(settings, 1.0)
        self.biases = VectorPredictor(settings, 0.0)

    def latent(self, picture: Tensor) -> Tensor:
        """[B, 3, g, g] -> [B, N_F, g, g]."""
        return self.extractor(picture)

    def vectors(self, latent: Tensor) -> Tensor:
        """[B, N_F, g, g] -> [B, 2 N_F]: w, then b.  What is sent of an inter frame."""
        return torch.cat([self.weights(latent), self.biases(latent)], dim=1)

    def field(self, latent: Tensor, vectors: Tensor) -> Tensor:
        """Spatial feature transform, Eq. 7 and 8: -> F [B, N_F, g, g]."""
        w, b = vectors[:, :, None, None].chunk(2, dim=1)
        return w * latent + b
