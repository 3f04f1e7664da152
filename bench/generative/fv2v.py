"""FV2V: Wang, Mallya and Liu, "One-Shot Free-View Neural Talking-Head Synthesis for Video
Conferencing", CVPR 2021.  A head's rotation and translation and how 15 key points in space are
displaced, 9 + 3 + 45 = 57 numbers a frame (as 002 counts them).

Theirs moves features in space; the generator that all methods share here is flat, so that of each
motion the part in the picture's plane is kept.  Their pose comes from a network trained on labelled
heads, which is not to be had here: it is learned with the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.generative.compact import FEATURES, CompactFeatures
from bench.generative.deformation import EQUIVARIANCE, bent, random_deformation
from bench.generative.dense import with_rest
from bench.generative.keypoints import UNIT, PointDetector, hints
from bench.generative.method import HeldKey, Method
from bench.generative.settings import COMPACT, SPACE_POINTS, MethodSettings
from codec.mttf.backend import nn, torch
from codec.mttf.blocks import identity_grid, resized

Tensor = Any
_APART = 0.1  # D_t of their key point prior: squared distance that points keep
_DEPTH = 0.33  # z_t of the same: their mean depth
_PRIOR, _SMALL = 10.0, 5.0  # their weights of the key point prior and of the displacements


@dataclass(frozen=True)
class HeldSpace(HeldKey):
    """points: x_c, the key frame's canonical points [B, K, 3]."""

    points: Tensor


class Fv2v(Method):
    """Of a frame R (9), t (3) and delta (45); the canonical points x_c are the receiver's, read
    from the key frame."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, SPACE_POINTS + 1, SPACE_POINTS)
        self.detector = PointDetector(settings.detector, SPACE_POINTS, values=1)
        self.pose = CompactFeatures(settings, nn.Conv2d(FEATURES, 6 + 3 * SPACE_POINTS, COMPACT))
        nn.init.normal_(self.pose.net[-1].weight, std=1e-3)
        nn.init.zeros_(self.pose.net[-1].bias)

    def numbers(self, small: Tensor) -> Tensor:
        found = self.pose(small).float()
        turn = rotation(found[:, :3])
        return UNIT * torch.cat([turn.flatten(1), found[:, 3:]], dim=1)

    def canonical(self, small: Tensor) -> Tensor:
        """x_c: [B, K, 3], depth as the key points' third coordinate."""
        places, depth = self.detector(small)
        return torch.cat([places, depth], dim=-1)

    def hold(self, key: Tensor, face: Tensor | None = None) -> HeldSpace:
        held = super().hold(key)
        return HeldSpace(**vars(held), points=self.canonical(held.small))

    def candidates(self, held: HeldKey, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Their Eq. 1, x_k = R x_c,k + t + delta_k, of both; and about each point
        w_k(p) = R_key R_frame^-1 (p - x_frame,k) + x_key,k."""
        assert isinstance(held, HeldSpace)
        key, frame = placed(held.points, held.own), placed(held.points, vectors)
        turn = (parted(held.own)[0] @ parted(vectors)[0].mT)[:, :2, :2]
        off = identity_grid(held.side, key)[:, None] - frame[:, :, None, None, :2]
        flows = key[:, :, None, None, :2] + torch.einsum("bij,bkyxj->bkyxi", turn, off)
        return with_rest(flows), hints(key[..., :2], frame[..., :2], held.side)

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Equivariance of the points in the picture's plane; the key point prior, which spreads
        them and holds their depth; the displacements' size."""
        small = resized(picture, self.settings.grid)
        bend = random_deformation(len(small), rng, small)
        there = bent(small, bend)
        points = placed(self.canonical(small), vectors)
        found = placed(self.canonical(there), self.numbers(there))[..., :2]
        off = (bend(found) - points[..., :2]).abs().mean()
        return {
            "equivariance": EQUIVARIANCE * off,
            "prior": _PRIOR * prior(points),
            "displacements": _SMALL * parted(vectors)[2].abs().mean(),
        }


def parted(vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The 57 numbers that are sent -> R [B, 3, 3], t [B, 3], delta [B, K, 3]."""
    x = vectors.float() / UNIT
    return x[:, :9].unflatten(1, (3, 3)), x[:, 9:12], x[:, 12:].unflatten(1, (-1, 3))


def placed(points: Tensor, vectors: Tensor) -> Tensor:
    """Eq. 1: canonical points [B, K, 3] as a frame's numbers have them."""
    turn, shift, moved = parted(vectors)
    return points @ turn.mT + shift[:, None] + moved


def rotation(angles: Tensor) -> Tensor:
    """Pitch, yaw, roll in radians [B, 3] -> R = R_roll R_yaw R_pitch, [B, 3, 3]."""
    (a, b, c), (sa, sb, sc) = angles.cos().unbind(1), angles.sin().unbind(1)
    rows = (
        (b * c, sa * sb * c - a * sc, a * sb * c + sa * sc),
        (b * sc, sa * sb * sc + a * c, a * sb * sc - sa * c),
        (-sb, sa * b, a * b),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def prior(points: Tensor) -> Tensor:
    """Their key point prior: sum of max(0, D_t - |x_i - x_j|^2) over pairs, as a mean, and how far
    the mean depth is from z_t."""
    squares = ((points[:, :, None] - points[:, None]) ** 2).sum(-1)
    other = ~torch.eye(points.shape[1], dtype=torch.bool, device=points.device)
    near = (_APART - squares).clamp(min=0)[:, other].mean()
    return near + (points[..., 2].mean(1) - _DEPTH).abs().mean()
