"""Deformations that are known: a picture is bent, and its key points must move along.

FOMM section 3.1, the equivariance constraint.  An affine map near the identity and a thin plate
spline (F. Bookstein, 1989) on 5x5 control points, one for each of B pictures; places are x, y in
-1 .. 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codec.mttf.backend import torch
from codec.mttf.blocks import identity_grid, warped

Tensor = Any
_AFFINE, _SPLINE = 0.05, 0.005  # deviations, FOMM's for faces
_CONTROL = 5
EQUIVARIANCE = 10.0  # FOMM's weight of Eq. 11, and of Eq. 13
_EDGE = 1e-9


@dataclass(frozen=True)
class Deformation:
    """matrix [B, 2, 2], shift [B, 2], control [N, 2] and weights [B, N, 2]:
    T(z) = matrix z + shift + sum_i weights_i U(|z - control_i|^2), U(s) = s log s."""

    matrix: Tensor
    shift: Tensor
    control: Tensor
    weights: Tensor

    def __call__(self, places: Tensor) -> Tensor:
        """[B, N, 2] -> [B, N, 2]."""
        bent = spline_basis(places, self.control) @ self.weights
        return places @ self.matrix.mT + self.shift[:, None] + bent

    def jacobian(self, places: Tensor) -> Tensor:
        """dT/dz at [B, N, 2] -> [B, N, 2, 2], rows by what comes out."""
        squares = _squares(places, self.control)
        slope = 2 * ((squares + _EDGE).log() + squares / (squares + _EDGE))  # of U, over z - c
        off = places[:, :, None] - self.control  # [B, N, control, 2]
        bent = torch.einsum("bnc,bncj,bci->bnij", slope, off, self.weights)
        return self.matrix[:, None] + bent


def spline_basis(places: Tensor, points: Tensor) -> Tensor:
    """U(|z - c|^2), U(s) = s log s, of places [..., P, 2] and points [..., N, 2]: [..., P, N]."""
    squares = _squares(places, points)
    return squares * (squares + _EDGE).log()


def _squares(places: Tensor, points: Tensor) -> Tensor:
    return ((places[..., :, None, :] - points[..., None, :, :]) ** 2).sum(-1)


def random_deformation(count: int, rng: np.random.Generator, like: Tensor) -> Deformation:
    """For `count` pictures, on `like`'s device."""
    line = np.linspace(-1, 1, _CONTROL)
    control = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    arrays = (
        np.eye(2) + rng.normal(0, _AFFINE, (count, 2, 2)),
        rng.normal(0, _AFFINE, (count, 2)),
        control,
        rng.normal(0, _SPLINE, (count, len(control), 2)),
    )
    return Deformation(*(torch.from_numpy(a).float().to(like.device) for a in arrays))


def bent(small: Tensor, bend: Deformation) -> Tensor:
    """The picture Y(z) = X(T(z)), [B, 3, g, g]."""
    side = small.shape[-1]
    grid = identity_grid(side, small).reshape(1, -1, 2).expand(len(small), -1, -1)
    return warped(small, bend(grid).unflatten(1, (side, side)))
