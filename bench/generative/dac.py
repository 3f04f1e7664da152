"""DAC: Konuko, Valenzise and Lathuiliere, "Ultra-low bitrate video conferencing using deep image
animation", ICASSP 2021.  Ten key points, 20 numbers a frame.

FOMM without its Jacobians: each point's surroundings move as the point does.  Its adaptive
refresh of the key frame is the codec's (`bench.generative.codecs`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.generative.deformation import EQUIVARIANCE, bent, random_deformation
from bench.generative.dense import with_rest
from bench.generative.keypoints import UNIT, PointDetector, hints, points_of
from bench.generative.method import HeldKey, Method
from bench.generative.settings import POINTS, MethodSettings
from codec.mttf.blocks import identity_grid, resized

Tensor = Any


class Dac(Method):
    """K = 10 key points, x and y each."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, POINTS + 1, POINTS)
        self.detector = PointDetector(settings.detector, POINTS)

    def numbers(self, small: Tensor) -> Tensor:
        points, _ = self.detector(small)
        return UNIT * points.flatten(1)

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """FOMM's Eq. 4 with J_k = 1: T_k(z) = p_key + (z - p_frame)."""
        key, frame = points_of(held.own), points_of(vectors)
        stay = identity_grid(held.side, key)[:, None]  # [1, 1, g, g, 2]
        flows = stay + (key - frame)[:, :, None, None]
        return with_rest(flows), hints(key, frame, held.side)

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """FOMM's Eq. 11: the points of a bent picture, bent back, are the picture's own."""
        small = resized(picture, self.settings.grid)
        bend = random_deformation(len(small), rng, small)
        found = points_of(self.numbers(bent(small, bend)))
        off = (bend(found) - points_of(vectors)).abs().mean()
        return {"equivariance": EQUIVARIANCE * off}
