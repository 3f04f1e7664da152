"""The whole network: what the sender computes of a frame, and what the receiver makes of it.

network.vectors(picture)              -> [B, 2 N_F], sent
network.hold(key)                     -> Held, once a key frame
network.generate(held, vectors)       -> Generated
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codec.mttf.backend import Module
from codec.mttf.blocks import resized
from codec.mttf.factors import Factors
from codec.mttf.generator import Generated, Generator
from codec.mttf.motion import MotionEstimator
from codec.mttf.settings import NetworkSettings

Tensor = Any


@dataclass(frozen=True)
class Held:
    """What a receiver keeps of a key frame.  key: [B, 3, R, R] in 0 .. 1; small: on the grid;
    latent: L [B, N_F, g, g]; field: F of the key frame; features: the generator's."""

    key: Tensor
    small: Tensor
    latent: Tensor
    field: Tensor
    features: list[Tensor]


class Mttf(Module):
    """MTTF, Eq. 1 to 23; B pictures in 0 .. 1 of side R, one of `settings.sides`."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.factors = Factors(settings)
        self.motion = MotionEstimator(settings)
        self.generator = Generator(settings)

    def vectors(self, picture: Tensor) -> Tensor:
        """Eq. 2, 5, 6: [B, 3, R, R] -> [B, 2 N_F]."""
        return self.factors.vectors(self.factors.latent(resized(picture, self.settings.grid)))

    def hold(self, key: Tensor) -> Held:
        """Eq. 1, 3, 4, 7, 20.  The key frame's own vectors come from its decoded picture and are
        never sent; nothing that is coded is predicted from them."""
        small = resized(key, self.settings.grid)
        latent = self.factors.latent(small)
        field = self.factors.field(latent, self.factors.vectors(latent))
        return Held(key, small, latent, field, self.generator.encode(key))

    def own(self, held: Held) -> Tensor:
        """[B, 2 N_F] of the key frame."""
        return self.factors.vectors(held.latent)

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """MTTF has none: Eq. 27 is all of its loss."""
        return {}

    def generate(self, held: Held, vectors: Tensor) -> Generated:
        """Eq. 8 to 23: vectors [B, 2 N_F]."""
        field = self.factors.field(held.latent, vectors)
        motion = self.motion(held.small, held.field, field)
        return self.generator(held.key, held.features, motion)
