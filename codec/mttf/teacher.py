"""A teacher of motion: what two face meshes say about how a key frame moves.

MTTF learns its motion from pictures alone, whose differences say little about where something far
off should come from: it takes days on GPUs.  A tracked mesh knows at once.  It teaches the
foreground motion m_fg, and what the vectors are about, while training is young, and the pictures
alone afterwards; neither the sender nor the receiver ever needs a mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codec.mttf.backend import Module, nn, torch
from codec.mttf.blocks import identity_grid

Tensor = Any
_BLUR = 0.015  # picture sides: about how far landmarks are averaged
_NEAR = 0.03  # how far one speaks for its surroundings
_FAR = 0.12  # the same of the whole head's affine motion, for hair, ears and neck
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
    grid = (identity_grid(side, key)[0].reshape(-1, 2) + 1) / 2  # [g g, 2]
    squares = _squares(grid, wanted)
    nearest = squares.amin(-1)
    weights = torch.softmax(-squares / (2 * _BLUR * _BLUR), dim=-1)
    moved = weights @ (key - wanted)
    one = torch.ones_like(wanted[..., :1])
    affine = torch.linalg.lstsq(torch.cat([wanted, one], -1), key).solution  # [B, 3, 2]
    whole = grid @ affine[:, :2] + affine[:, 2:] - grid
    near = torch.exp(-nearest / (2 * _NEAR * _NEAR))[..., None]
    far = torch.exp(-nearest / (2 * _FAR * _FAR))[..., None]
    motion = grid + near * moved + (1 - near) * whole
    weight = torch.maximum(near, _SAID * far)[..., 0]
    shape = (len(key), side, side)
    return Lesson(2 * motion.reshape(*shape, 2) - 1, weight.reshape(shape))


def _squares(places: Tensor, marks: Tensor) -> Tensor:
    """[N, 2] and [B, P, 2] -> their distances squared, [B, N, P].

    As |a|^2 + |b|^2 - 2 a b: a matrix product makes no [B, N, P, 2]."""
    centred, marks = places - 0.5, marks - 0.5  # so that float32 loses nothing that matters
    norms = (centred**2).sum(-1)[None, :, None] + (marks**2).sum(-1)[:, None]
    return (norms - 2 * (centred @ marks.transpose(1, 2))).clamp_min(0)


def motion_loss(motion: Tensor, taught: Lesson) -> Tensor:
    """Mean |difference| in hundredths of the picture's half, where the lesson speaks."""
    off = (motion - taught.motion).abs().sum(-1)
    return 100 * (off * taught.weight).sum() / taught.weight.sum().clamp_min(1e-6)


class MeshReader(Module):
    """Reads a frame's mesh off its vectors by one linear map, in the training alone: so they soon
    tell poses and expressions apart.  A mesh is its coordinates along the principal components of
    the meshes learned from, each in its standard deviation, or a tenth of the largest."""

    _PARTS = 24

    def __init__(self, numbers: int, meshes: Any) -> None:
        """meshes: [F, P, 2] float32; P may be 0."""
        super().__init__()
        flat = torch.from_numpy(meshes).flatten(1)
        mean = flat.mean(0) if len(flat) else flat.sum(0)
        parts = min(self._PARTS, *flat.shape)
        _, sizes, axes = torch.linalg.svd(flat - mean, full_matrices=False)
        deviations = sizes[:parts, None] / max(len(flat), 1) ** 0.5
        self.register_buffer("mean", mean)
        self.register_buffer(
            "axes", axes[:parts] / deviations.clamp(min=1e-6 + 0.1 * float(deviations[:1].sum()))
        )
        self.out = nn.Linear(numbers, max(parts, 1))

    def forward(self, vectors: Tensor, meshes: Tensor) -> Tensor:
        """vectors: [B, 2 N_F], meshes: [B, P, 2] -> mean |difference|, deviations."""
        wanted = (meshes.flatten(1) - self.mean) @ self.axes.T
        return (self.out(vectors) - wanted).abs().mean()
