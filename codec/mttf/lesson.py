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


def lesson(key: Tensor, wanted: Tensor, side: int) -> Lesson:
    """key, wanted: [B, P, 2] the same landmarks in both pictures, 0 .. 1 -> for a grid of `side`.

    Displacements are means of the landmarks' about a place, weighted by a Gaussian of the
    distance; away from them those of the affine motion that fits all landmarks best.
    """
    line = (torch.arange(side, dtype=wanted.dtype, device=wanted.device) + 0.5) / side
    moved = _means(key - wanted, wanted, line)
    one = torch.ones_like(wanted[..., :1])
    grid = (identity_grid(side, key) + 1) / 2
    whole = _affine(wanted, key, grid) - grid
    near = _sums(one, wanted, line, _NEAR)[..., 0].clamp(0, 1)
    far = near ** (_NEAR / _FAR) ** 2  # the same Gaussian, as much wider
    motion = grid + near[..., None] * moved + (1 - near[..., None]) * whole
    return Lesson(2 * motion - 1, torch.maximum(near, _SAID * far))


def _affine(marks: Tensor, to: Tensor, places: Tensor) -> Tensor:
    """Places [1, g, g, 2] through the affine motion that takes marks [B, P, 2] nearest to `to`
    -> [B, g, g, 2].  In closed form: a GPU need not wait for a solver."""
    middle, aim = marks.mean(1, keepdim=True), to.mean(1, keepdim=True)
    off = marks - middle
    spread, both = off.mT @ off, off.mT @ (to - aim)  # [B, 2, 2]
    a, b, c, d = (x[:, None, None] for x in spread.flatten(1).unbind(1))
    turned = torch.cat([torch.cat([d, -b], 2), torch.cat([-c, a], 2)], 1)
    solution = turned @ both / (a * d - b * c).clamp_min(_NONE)
    return (places - middle[:, None]) @ solution[:, None] + aim[:, None]


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
