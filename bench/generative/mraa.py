"""MRAA: Siarohin, Woodford, Ren, Chai and Tulyakov, "Motion Representations for Articulated
Animation", CVPR 2021.  Ten regions, the mean and the covariance of each, 50 numbers a frame.

Their background motion is read from both pictures: here the background stays, as TPS's does.
Their principal axes leave a sign open; here it is the one that turns a region least.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.generative.deformation import EQUIVARIANCE, bent, random_deformation
from bench.generative.dense import affine, with_rest
from bench.generative.keypoints import UNIT, PointDetector, hints, points_of
from bench.generative.method import HeldKey, Method
from bench.generative.settings import REGIONS, MethodSettings
from codec.mttf.backend import torch
from codec.mttf.blocks import resized

Tensor = Any
_LEAST = 1e-4  # of a variance, of picture halves squared
_ROUND = 1e-6  # the same, by which a round region has a direction nevertheless


class Mraa(Method):
    """K = 10 regions: x and y of all, then the Cholesky factors (l_xx, l_yx, l_yy) of all
    covariances, which stay covariances however they are quantised."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, REGIONS + 1, REGIONS)
        self.detector = PointDetector(settings.detector, REGIONS)

    def numbers(self, small: Tensor) -> Tensor:
        heat, grid = self.detector.heat(small)  # [B, K, g g], [g g, 2]
        middle = heat @ grid
        off = grid - middle[:, :, None]  # [B, K, g g, 2]
        spread = torch.einsum("bkp,bkpi,bkpj->bkij", heat, off, off)  # their Eq. 5
        return torch.cat([UNIT * middle.flatten(1), UNIT * _factors(spread).flatten(1)], dim=1)

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Their Eq. 2 with the axes of Eq. 6: T_k(z) = p_key + A_key A_frame^-1 (z - p_frame)."""
        (key, key_axes), (frame, axes) = parted(held.own), parted(vectors)
        turn = _least_turned(key_axes @ _inverse(axes))  # [B, K, 2, 2]
        flows = affine(turn, key, frame, held.side)
        return with_rest(flows), hints(key, frame, held.side)

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """FOMM's Eq. 11 and 13 for regions: what is found in a bent picture, bent back, is the
        picture's own."""
        small = resized(picture, self.settings.grid)
        bend = random_deformation(len(small), rng, small)
        points, axes = parted(self.numbers(bent(small, bend)))
        wanted, wanted_axes = parted(vectors)
        moved = _least_turned(_inverse(wanted_axes) @ bend.jacobian(points) @ axes)
        one = torch.eye(2, device=axes.device)
        return {
            "equivariance": EQUIVARIANCE * (bend(points) - wanted).abs().mean(),
            "axes": EQUIVARIANCE * (moved - one).abs().mean(),
        }


def parted(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The 5 K numbers that are sent -> middles [B, K, 2] and axes [B, K, 2, 2], columns as long
    as the region's deviation along them: U S^(1/2) of the covariance U S U^T, their Eq. 6."""
    split = 2 * REGIONS
    xx, yx, yy = (vectors[:, split:].float() / UNIT).unflatten(1, (-1, 3)).unbind(-1)
    a, b, c = xx * xx, xx * yx, yx * yx + yy * yy  # [[a, b], [b, c]]
    half, middle = 0.5 * (a - c) + _ROUND, 0.5 * (a + c)
    reach = (half * half + b * b).sqrt()
    long, short = (middle + reach).clamp(min=_LEAST), (middle - reach).clamp(min=_LEAST)
    angle = 0.5 * torch.atan2(b, half)
    cos, sin = angle.cos(), angle.sin()
    long, short = long.sqrt(), short.sqrt()
    rows = [torch.stack([cos * long, -sin * short], -1), torch.stack([sin * long, cos * short], -1)]
    return points_of(vectors[:, :split]), torch.stack(rows, -2)


def _factors(spread: Tensor) -> Tensor:
    """[..., 2, 2] covariances -> [..., 3]."""
    (a, b), (_, c) = (row.unbind(-1) for row in spread.unbind(-2))
    xx = (a + _LEAST).sqrt()
    yx = b / xx
    return torch.stack([xx, yx, (c + _LEAST - yx * yx).clamp(min=_LEAST).sqrt()], -1)


def _inverse(axes: Tensor) -> Tensor:
    """Of [..., 2, 2] whose columns are at right angles, and none of them short."""
    return (axes / axes.square().sum(-2, keepdim=True)).mT


def _least_turned(turn: Tensor) -> Tensor:
    """[..., 2, 2], of it and its negative the one that turns by less than a right angle."""
    trace = turn.diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.where(trace < 0, -1.0, 1.0)[..., None, None] * turn
