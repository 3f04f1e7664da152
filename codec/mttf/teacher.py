"""A teacher of motion: for networks that no mesh guides, meshes guide their training.

Pictures alone say little about where something far off should come from.  A tracked mesh knows at
once.  It teaches the foreground motion, and what the vectors are about, while training is young,
and the pictures alone afterwards; neither the sender nor the receiver ever needs a mesh.
"""

from __future__ import annotations

from typing import Any

from codec.mttf.backend import Module, nn, torch
from codec.mttf.lesson import Lesson

Tensor = Any


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
