"""A face's mesh as a guide of motion: what moves where, in a few numbers of a frame.  Ours.

MTTF learns from pictures alone how a key frame moves, which takes many people and days on GPUs.
Who sends has tracked the face already, by a mesh whose landmarks are the same on everybody: they
say at once where a face's parts come from.  So a frame's numbers are MTTF's 2 N_F (Eq. 5 and 6) for
what no mesh tells (shoulders, hair, light), and behind them the mesh's own coordinates in a linear
model; a receiver turns these into the first of the candidate motions.  What a key frame's mesh has
beside them, that is whose it is, goes along with the key frame.

B pictures, P = 478 landmarks in 0 .. 1 of the picture, g the motion grid's side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from codec.mttf.backend import Module, torch
from codec.mttf.blocks import identity_grid
from codec.mttf.lesson import lesson
from codec.mttf.outlines import EYES, IRISES, LIPS, MOUTH, outlined

Tensor = Any
Array = NDArray[Any]

LANDMARKS = 478
HINTS = 4  # maps of a `Guidance`
_UNIT = 0.2  # picture sides, summed in squares over the landmarks, that a number of 1 moves
_CLOSER = 2.0  # how much nearer landmarks of mouth and eyes are followed
_AFFINE = 6


@dataclass(frozen=True)
class Guidance:
    """motion: [B, g, g, 2] where to look in the key frame, -1 .. 1.  hints: [B, 4, g, g]: how far
    to trust that, 0 where no mesh tells anything; the mouth's, the eyes' and the irises' insides
    in the frame that is wanted, -1 outside and 1 inside."""

    motion: Tensor
    hints: Tensor


class Guide(Module):
    """A mesh is mean + motion . numbers + shape . remainder, landmarks of mouth and eyes weighing
    more; both bases are orthonormal, and to each other."""

    mean: Tensor
    motion: Tensor
    shape: Tensor
    weights: Tensor

    def __init__(self, numbers: int, shape: int) -> None:
        super().__init__()
        weights = np.ones((LANDMARKS, 2), np.float32)
        weights[[*MOUTH, *LIPS, *(i for eye in EYES for i in eye), *IRISES]] = _CLOSER
        self.register_buffer("weights", torch.from_numpy(weights.ravel()), persistent=False)
        self.register_buffer("mean", torch.full((2 * LANDMARKS,), 0.5))
        self.register_buffer("motion", torch.zeros(numbers, 2 * LANDMARKS))
        self.register_buffer("shape", torch.zeros(shape, 2 * LANDMARKS))

    @property
    def count(self) -> int:
        """Numbers of a frame."""
        return int(self.motion.shape[0])

    def learn(self, meshes: Array, clips: Array) -> None:
        """The model of meshes [F, P, 2] of clips [F].

        motion: every affine motion of the mean, then the principal components of what the meshes
        of a clip differ by.  shape: those of what is left of clips' mean meshes.  Raises
        InputError where there are too few.
        """
        if meshes.shape[1:] != (LANDMARKS, 2) or len(meshes) <= len(self.motion):
            raise InputError(
                f"{len(meshes)} meshes of {meshes.shape[1]} landmarks teach no guide",
                "Prepare the crops again, of more clips: facewire train-mttf CLIPS -o WEIGHTS",
            )
        weights = self.weights.cpu().numpy().astype(np.float64)
        mean = meshes.reshape(len(meshes), -1).mean(axis=0, dtype=np.float64)
        flat = (meshes.reshape(len(meshes), -1) - mean) * weights
        means = np.stack([flat[clips == clip].mean(axis=0) for clip in np.unique(clips)])
        within = flat - means[np.unique(clips, return_inverse=True)[1]]
        affine = _affine(mean.reshape(-1, 2), weights)
        motion = np.concatenate([affine, _components(within, affine, self.count - _AFFINE)])
        shape = _components(means, motion, len(self.shape))
        for buffer, value in ((self.mean, mean), (self.motion, motion), (self.shape, shape)):
            buffer.copy_(torch.from_numpy(value).to(buffer))

    def face(self, mesh: Tensor) -> Tensor:
        """[B, P, 2] -> [B, numbers + shape]: what a key frame says of its face, the numbers
        first, which are what a frame says."""
        off = (mesh.flatten(1) - self.mean) * self.weights
        return torch.cat([off @ self.motion.T, off @ self.shape.T], dim=1) / _UNIT

    def mesh(self, face: Tensor) -> Tensor:
        """The inverse: -> [B, P, 2]."""
        numbers, shape = face[:, : self.count], face[:, self.count :]
        off = (numbers @ self.motion + shape @ self.shape) * _UNIT / self.weights
        return (self.mean + off).unflatten(1, (-1, 2))

    def forward(self, face: Tensor | None, numbers: Tensor, side: int) -> Guidance:
        """face: of the key frame, None where it shows none.  numbers: [B, numbers] of the frame
        that is wanted.  side: g."""
        if face is None:
            return _unguided(numbers, side)
        # Distances are differences of squares: half a float's digits would be none.
        with torch.autocast(numbers.device.type, enabled=False), torch.no_grad():
            face, numbers = face.float(), numbers.float()
            wanted = self.mesh(torch.cat([numbers, face[:, self.count :]], dim=1))
            told = lesson(self.mesh(face), wanted, side)
            maps = [told.weight[:, None], outlined(wanted, side)]
            return Guidance(told.motion, torch.cat(maps, dim=1))


def _unguided(numbers: Tensor, side: int) -> Guidance:
    stay = identity_grid(side, numbers).expand(len(numbers), -1, -1, -1)
    hints = numbers.new_zeros(len(numbers), HINTS, side, side)
    hints[:, 1:] = -1
    return Guidance(stay, hints)


def _affine(mean: Array, weights: Array) -> Array:
    """[6, 2 P] an orthonormal basis of the affine motions of a mesh [P, 2]."""
    one = np.ones(len(mean))
    rows = []
    for axis in range(2):
        for along in (one, mean[:, 0], mean[:, 1]):
            row = np.zeros_like(mean)
            row[:, axis] = along
            rows.append(row.ravel() * weights)
    return np.linalg.qr(np.stack(rows).T)[0].T


def _components(rows: Array, without: Array, count: int) -> Array:
    """[count, D] the first principal components of rows [N, D], across `without`; zeros where
    there are fewer."""
    rest: Array = rows - rows @ without.T @ without
    _, sizes, axes = np.linalg.svd(rest, full_matrices=False)
    found = np.zeros((count, rows.shape[1]))
    real = min(count, int((sizes > 1e-5 * max(sizes[0], 1e-12)).sum()))
    found[:real] = axes[:real]
    return found
