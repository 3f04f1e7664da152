"""What all methods do alike: a key frame is held, numbers become motion, motion a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.generative.dense import DenseMotion
from bench.generative.generator import PictureGenerator
from bench.generative.settings import MethodSettings
from codec.mttf.backend import Module
from codec.mttf.blocks import resized
from codec.mttf.generator import Generated
from codec.mttf.portraits import Portraits

Tensor = Any


@dataclass(frozen=True)
class HeldKey:
    """key: [B, 3, R, R] in 0 .. 1; small: on the grid; own: its numbers [B, D], computed by the
    receiver from the decoded picture; features: the generator's."""

    key: Tensor
    small: Tensor
    own: Tensor
    features: list[Tensor]

    @property
    def side(self) -> int:
        """g."""
        return int(self.small.shape[-1])


class Method(Module):
    """A `codec.mttf.kind.Network`.  A method says `numbers` and `candidates`."""

    told = 0
    draws = True
    learns_motion = True

    def __init__(self, settings: MethodSettings, candidates: int, hints: int) -> None:
        super().__init__()
        self.settings = settings
        self.dense = DenseMotion(candidates, hints, settings.motion)
        self.generator = PictureGenerator(settings)

    def numbers(self, small: Tensor) -> Tensor:
        """Pictures on the grid [B, 3, g, g] in 0 .. 1 -> what is sent of them [B, D]."""
        raise NotImplementedError

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """A key frame and a frame's numbers [B, D] -> candidate motions [B, M, g, g, 2], the first
        of them to stay in place, and hints [B, H, g, g]."""
        raise NotImplementedError

    def prepare(self, portraits: Portraits) -> None:
        """Nothing: all of a method is learned by gradients."""

    def face(self, mesh: Tensor) -> None:
        """Nothing: a key frame is its picture."""

    def vectors(self, picture: Tensor, mesh: Tensor | None = None) -> Tensor:
        """[B, 3, R, R] -> [B, D]."""
        return self.numbers(resized(picture, self.settings.grid))

    def hold(self, key: Tensor, face: Tensor | None = None) -> HeldKey:
        small = resized(key, self.settings.grid)
        return HeldKey(key, small, self.numbers(small), self.generator.encode(key))

    def own(self, held: HeldKey) -> Tensor:
        return held.own

    def generate(self, held: HeldKey, vectors: Tensor) -> Generated:
        flows, hints = self.candidates(held, vectors)
        return self.generator(held.key, held.features, self.dense(held.small, flows, hints))

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Nothing beside the pictures, unless the method says so."""
        return {}
