"""TPS: Zhao and Zhang, "Thin-Plate Spline Motion Model for Image Animation", CVPR 2022.  Ten
splines of five key points each, 100 numbers a frame.

Their background motion is read from both pictures and is not among 002's 100 numbers: here the
background stays.  Key points are found as heatmaps, as the other methods' are, where theirs are
regressed.
"""

from __future__ import annotations

from typing import Any

from bench.generative.deformation import spline_basis
from bench.generative.dense import with_rest
from bench.generative.keypoints import hints, points_of
from bench.generative.method import HeldKey
from bench.generative.points import PointMethod
from bench.generative.settings import SPLINE_POINTS, SPLINES, MethodSettings
from codec.mttf.backend import torch
from codec.mttf.blocks import identity_grid

Tensor = Any
_STIFF = 0.01  # on the system's diagonal: points that fall together give no infinite bend
_EVEN = 0.01  # the same of what turns and stretches: they move as one


class Tps(PointMethod):
    """K = 10 splines of N = 5 points, x and y each."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, SPLINES + 1, SPLINES * SPLINE_POINTS)

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """T_k of their Eq. 2: what takes a spline's points in the frame to those in the key."""
        key, frame = points_of(held.own), points_of(vectors)
        grid = identity_grid(held.side, key).reshape(1, 1, -1, 2)
        key_sets, sets = (p.unflatten(1, (SPLINES, SPLINE_POINTS)) for p in (key, frame))
        flows = splined(sets, key_sets, grid).unflatten(2, (held.side, held.side))
        return with_rest(flows), hints(key, frame, held.side)


def splined(points: Tensor, targets: Tensor, places: Tensor) -> Tensor:
    """The spline of least bending that takes points to targets, [B, K, N, 2] each, at places
    [1, 1, P, 2] -> [B, K, P, 2].

    Their Eq. 1 and 2: T(p) = A [p; 1] + sum_i w_i U(|p - p_i|^2) with sum w_i = sum w_i p_i = 0.
    What is solved for is the way from p to T(p), so that what the two constants hold back is
    motion.
    """
    count = points.shape[2]
    affine = torch.cat([torch.ones_like(points[..., :1]), points], dim=-1)  # [B, K, N, 3]
    below = torch.cat([affine.mT, affine.new_zeros(*affine.shape[:2], 3, 3)], dim=-1)
    system = torch.cat([torch.cat([spline_basis(points, points), affine], dim=-1), below], dim=-2)
    held = points.new_tensor([_STIFF] * count + [0.0, -_EVEN, -_EVEN]).diag()
    moved = torch.cat([targets - points, targets.new_zeros(*targets.shape[:2], 3, 2)], dim=-2)
    weights = torch.linalg.solve(system + held, moved)
    one = torch.ones_like(places[..., :1])
    rows = torch.cat([one, places], dim=-1).expand(*points.shape[:2], -1, -1)
    return places + torch.cat([spline_basis(places, points), rows], dim=-1) @ weights
