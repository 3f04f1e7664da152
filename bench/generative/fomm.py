"""FOMM: Siarohin, Lathuiliere, Tulyakov, Ricci and Sebe, "First Order Motion Model for Image
Animation", NeurIPS 2019.  Ten key points and the Jacobian at each, 60 numbers a frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.generative.deformation import EQUIVARIANCE, bent, random_deformation
from bench.generative.dense import affine, with_rest
from bench.generative.keypoints import UNIT, PointDetector, hints, points_of
from bench.generative.method import HeldKey, Method
from bench.generative.settings import POINTS, MethodSettings
from codec.mttf.backend import torch
from codec.mttf.blocks import resized

Tensor = Any
JACOBIAN_UNIT = 8.0  # a sent element is that many to 1: a step is 1/64
_LEAST = 0.05  # of a determinant that is divided by


class Fomm(Method):
    """K = 10 key points: x and y of all, then the 2x2 elements of all."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, POINTS + 1, POINTS)
        self.detector = PointDetector(settings.detector, POINTS, values=4)

    def numbers(self, small: Tensor) -> Tensor:
        points, values = self.detector(small)
        one = torch.eye(2, device=values.device).flatten()
        return torch.cat(
            [UNIT * points.flatten(1), JACOBIAN_UNIT * (values + one).flatten(1)], dim=1
        )

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. 4: T_k(z) = p_key + J_k (z - p_frame); Eq. 5: J_k = J_key J_frame^-1."""
        (key, key_slope), (frame, slope) = parted(held.own), parted(vectors)
        turn = key_slope @ inverse(slope)  # [B, K, 2, 2]
        flows = affine(turn, key, frame, held.side)
        return with_rest(flows), hints(key, frame, held.side)

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Eq. 11 and 13: points and Jacobians of a bent picture, bent back, are the picture's."""
        small = resized(picture, self.settings.grid)
        bend = random_deformation(len(small), rng, small)
        points, slope = parted(self.numbers(bent(small, bend)))
        wanted, wanted_slope = parted(vectors)
        one = torch.eye(2, device=slope.device)
        moved = inverse(wanted_slope) @ bend.jacobian(points) @ slope
        return {
            "equivariance": EQUIVARIANCE * (bend(points) - wanted).abs().mean(),
            "jacobians": EQUIVARIANCE * (moved - one).abs().mean(),
        }


def parted(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The 6 K numbers that are sent -> places [B, K, 2] and Jacobians [B, K, 2, 2]."""
    split = 2 * POINTS
    slopes = vectors[:, split:].float() / JACOBIAN_UNIT
    return points_of(vectors[:, :split]), slopes.unflatten(1, (-1, 2, 2))


def inverse(matrix: Tensor) -> Tensor:
    """Of [..., 2, 2], its determinant kept away from 0: what was quantised, or made by a network
    that is not trained, may be singular."""
    (a, b), (c, d) = (row.unbind(-1) for row in matrix.unbind(-2))
    size = a * d - b * c
    size = torch.where(size < 0, size.clamp(max=-_LEAST), size.clamp(min=_LEAST))
    swapped = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return swapped / size[..., None, None]
