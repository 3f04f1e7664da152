"""The whole network: what the sender computes of a frame, and what the receiver makes of it.

network.vectors(picture, mesh)        -> [B, 2 N_F + M], sent
network.face(mesh)                    -> [B, M + S], sent with a key frame
network.hold(key, face)               -> Held, once a key frame
network.generate(held, vectors)       -> Generated

M, S: numbers of the guiding mesh (`guide.py`); MTTF has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codec.mttf.backend import Module, torch
from codec.mttf.blocks import resized
from codec.mttf.factors import Factors
from codec.mttf.generator import Generated, Generator
from codec.mttf.guide import Guide
from codec.mttf.motion import MotionEstimator
from codec.mttf.portraits import Portraits
from codec.mttf.settings import NetworkSettings

Tensor = Any


@dataclass(frozen=True)
class Held:
    """What a receiver keeps of a key frame.  key: [B, 3, R, R] in 0 .. 1; small: on the grid;
    latent: L [B, N_F, g, g]; field: F of the key frame; features: the generator's; face: the key
    frame's [B, M + S], None where nothing guides."""

    key: Tensor
    small: Tensor
    latent: Tensor
    field: Tensor
    features: list[Tensor]
    face: Tensor | None = None


class Mttf(Module):
    """MTTF, Eq. 1 to 23; B pictures in 0 .. 1 of side R, one of `settings.sides`."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.factors = Factors(settings)
        self.motion = MotionEstimator(settings)
        self.generator = Generator(settings)
        self.guide = Guide(settings.mesh, settings.shape) if settings.mesh else None

    draws = False

    @property
    def told(self) -> int:
        """M + S."""
        return 0 if self.guide is None else self.settings.mesh + self.settings.shape

    @property
    def learns_motion(self) -> bool:
        return self.guide is None

    def prepare(self, portraits: Portraits) -> None:
        """Before training: the guide's model of meshes.  Raises InputError for too few."""
        if self.guide is not None:
            self.guide.learn(portraits.meshes, portraits.clip)

    def vectors(self, picture: Tensor, mesh: Tensor | None = None) -> Tensor:
        """Eq. 2, 5, 6: [B, 3, R, R] -> [B, 2 N_F], and the mesh's numbers behind; 0 for None."""
        latent = self.factors.latent(resized(picture, self.settings.grid))
        vectors = self.factors.vectors(latent)
        if self.guide is None:
            return vectors
        if mesh is None:
            told = vectors.new_zeros(len(vectors), self.settings.mesh)
        else:
            told = self.guide.face(mesh)[:, : self.settings.mesh]
        return torch.cat([vectors, told.to(vectors)], dim=1)

    def face(self, mesh: Tensor) -> Tensor | None:
        """[B, 482, 2] of a key frame, 0 .. 1 of it -> [B, M + S]; None where nothing guides."""
        return None if self.guide is None else self.guide.face(mesh)

    def hold(self, key: Tensor, face: Tensor | None = None) -> Held:
        """Eq. 1, 3, 4, 7, 20.  The key frame's own w and b come from its decoded picture and are
        never sent; nothing that is coded is predicted from them."""
        small = resized(key, self.settings.grid)
        latent = self.factors.latent(small)
        field = self.factors.field(latent, self.factors.vectors(latent))
        return Held(key, small, latent, field, self.generator.encode(key), face)

    def own(self, held: Held) -> Tensor:
        """[B, 2 N_F + M] of the key frame."""
        vectors = self.factors.vectors(held.latent)
        if self.guide is None:
            return vectors
        if held.face is None:
            told = vectors.new_zeros(len(vectors), self.settings.mesh)
        else:
            told = held.face[:, : self.settings.mesh]
        return torch.cat([vectors, told.to(vectors)], dim=1)

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """MTTF has none: Eq. 27 is all of its loss."""
        return {}

    def generate(self, held: Held, vectors: Tensor) -> Generated:
        """Eq. 8 to 23: vectors [B, 2 N_F + M]."""
        count = 2 * self.settings.latents
        field = self.factors.field(held.latent, vectors[:, :count])
        guidance = None
        if self.guide is not None:
            guidance = self.guide(held.face, vectors[:, count:], self.settings.grid)
        motion = self.motion(held.small, held.field, field, guidance)
        return self.generator(held.key, held.features, motion)
