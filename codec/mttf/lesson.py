"""What two face meshes say about how a key frame moves: a motion for every place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codec.mttf.backend import torch
from codec.mttf.blocks import identity_grid

Tensor = Any
_BLUR = 0.015  # picture sides: about how far landmarks are averaged
_NEAR = 0.03  # how far one speaks for its surroundings
_FAR = 0.12  # the same of the whole head's affine motion, for hair, ears and neck
_NONE = 1e-30  # beside a sum of weights
_SAID = 0.3  # weight of what only the affine motion says


@dataclass(frozen=True)
class Lesson:
    """motion: [B, g, g, 2] where to look in the key frame, -1 .. 1.  weight: [B, g, g], 0 where
    the meshes say nothing."""

    motion: Tensor
    weight: Tensor


def lesson(key: Tensor, wanted: Tensor, side: int, depth: Tensor | None = None) -> Lesson:
    """key, wanted: [B, P, 2] the same landmarks in both pictures, 0 .. 1 -> for a grid of `side`.
    depth: [P] how far each lies in front of what is around the face, 0 for all by default.

    Displacements are means of the landmarks' about a place, weighted by a Gaussian of the
    distance; away from them those of the affine motion that fits all landmarks best, at depth 0:
    where a head turns, a face in front of it moves on and the outline of its hair hardly does.
    """
    line = (torch.arange(side, dtype=wanted.dtype, device=wanted.device) + 0.5) / side
    moved = _means(key - wanted, wanted, line)
    one = torch.ones_like(wanted[..., :1])
    grid = (identity_grid(side, key) + 1) / 2
    whole = affine(wanted, key, grid, depth) - grid
    near = _sums(one, wanted, line, _NEAR)[..., 0].clamp(0, 1)
    far = near ** (_NEAR / _FAR) ** 2  # the same Gaussian, as much wider
    motion = grid + near[..., None] * moved + (1 - near[..., None]) * whole
    return Lesson(2 * motion - 1, torch.maximum(near, _SAID * far))


def affine(marks: Tensor, to: Tensor, places: Tensor, depth: Tensor | None = None) -> Tensor:
    """Places [1, g, g, 2] through the affine motion that takes marks [B, P, 2] nearest to `to`
    -> [B, g, g, 2].  depth: [P] of the marks; the places are at 0."""
    middle, aim = marks.mean(1, keepdim=True), to.mean(1, keepdim=True)
    third = torch.ones_like(marks[..., 0])
    if depth is not None:
        third = third * (depth - depth.mean())
    off = torch.cat([marks - middle, third[..., None]], dim=-1)
    solution = _inverse(off.mT @ off) @ (off.mT @ (to - aim))  # [B, 3, 2]
    start = aim if depth is None else aim - depth.mean() * solution[:, 2:]
    return (places - middle[:, None]) @ solution[:, None, :2] + start[:, None]


def _inverse(x: Tensor) -> Tensor:
    """[B, 3, 3] -> [B, 3, 3], by cofactors: a GPU need not wait for a solver that could fail."""
    a, b, c = x.unbind(1)
    columns = [torch.linalg.cross(u, v) for u, v in ((b, c), (c, a), (a, b))]
    whole = (a * columns[0]).sum(-1)[:, None, None]
    return torch.stack(columns, dim=-1) / torch.where(whole == 0, 1, whole)


def _means(values: Tensor, marks: Tensor, line: Tensor) -> Tensor:
    """values [B, P, C] of marks [B, P, 2] about every place -> [B, g, g, C]; 0 far away."""
    sums = _sums(torch.cat([values, torch.ones_like(values[..., :1])], -1), marks, line, _BLUR)
    return sums[..., :-1] / (sums[..., -1:] + _NONE)


def _sums(values: Tensor, marks: Tensor, line: Tensor, width: float) -> Tensor:
    """Sums weighted by exp(-distance^2 / 2 width^2), which is one factor across and one down: two
    exponentials a landmark and line instead of one a landmark and place."""
    across, down = (
        torch.exp(-((line[:, None] - marks[:, None, :, axis]) ** 2) / (2 * width * width))
        for axis in range(2)
    )  # [B, g, P]
    return torch.einsum("byp,bxp,bpc->byxc", down, across, values)
