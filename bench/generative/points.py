"""What DAC and TPS do alike: the numbers are key points and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.generative.deformation import EQUIVARIANCE, bent, random_deformation
from bench.generative.keypoints import UNIT, PointDetector, points_of
from bench.generative.method import Method
from bench.generative.settings import MethodSettings
from codec.mttf.blocks import resized

Tensor = Any


class PointMethod(Method):
    """x and y of `count` points."""

    def __init__(self, settings: MethodSettings, candidates: int, count: int) -> None:
        super().__init__(settings, candidates, count)
        self.detector = PointDetector(settings.detector, count)

    def numbers(self, small: Tensor) -> Tensor:
        points, _ = self.detector(small)
        return UNIT * points.flatten(1)

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """FOMM's Eq. 11: the points of a bent picture, bent back, are the picture's own."""
        small = resized(picture, self.settings.grid)
        bend = random_deformation(len(small), rng, small)
        found = points_of(self.numbers(bent(small, bend)))
        return {"equivariance": EQUIVARIANCE * (bend(found) - points_of(vectors)).abs().mean()}
