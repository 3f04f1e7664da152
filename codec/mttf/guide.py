"""A face's mesh as a guide of motion: what moves where, in a few numbers of a frame.  Ours.

MTTF learns from pictures alone how a key frame moves, which takes many people and days on GPUs.
Who sends has tracked the face already, by a mesh whose landmarks are the same on everybody: they
say at once where a face's parts come from.  So a frame's numbers are MTTF's 2 N_F (Eq. 5 and 6) for
what no mesh tells (hair, light), and behind them the mesh's own coordinates in a linear model; a
receiver turns these into the first of the candidate motions.  What a key frame's mesh has beside
them, that is whose it is, goes along with the key frame.  Shoulders go along with four marks more,
which a sender moves as it finds the torso moving: their shift, roll and scale are the last four
numbers, and the second candidate.

B pictures, P = 482 marks in 0 .. 1 of the picture, 478 landmarks of a face and behind them those of
the body; g the motion grid's side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from avatar.morphable import FaceModel
from codec.mttf.backend import Module, torch
from codec.mttf.blocks import identity_grid
from codec.mttf.lesson import affine, lesson
from codec.mttf.outlines import EYES, IRISES, LIPS, MOUTH, outlined

Tensor = Any
Array = NDArray[Any]

LANDMARKS = 478
# Marks of the body behind the face's, where they are at rest: about the shoulders, as far apart
# as tells a roll.
BODY = np.array([[0.3, 0.75], [0.7, 0.75], [0.3, 1.05], [0.7, 1.05]], np.float32)
MARKS = LANDMARKS + len(BODY)
HINTS = 5  # maps of a `Guidance`
CANDIDATES = 2  # motions of a `Guidance`
_UNIT = 0.2  # picture sides, summed in squares over the landmarks, that a number of 1 moves
_CLOSER = 2.0  # how much nearer landmarks of mouth and eyes are followed
_STEADIER = 3.0  # the same of the body's marks: four are as good as many
_AFFINE, _RIGID = 6, 4  # numbers of a face's affine motion, and of the body's
_EARS, _TOP, _CHIN, _INNER_LIPS = (234, 454), 10, 152, (13, 14)  # landmarks
_OUTLINE = 0.015  # metres behind the ears: a head's outline, seen from the front
_DEPTH = 0.05  # metres: the unit of depths
_NECK = 0.25  # face heights below the chin from which on all goes along with the body
_BODILY = 0.5  # of a mesh's trust, at most


@dataclass(frozen=True)
class Guidance:
    """motion: [B, 2, g, g, 2] where to look in the key frame, -1 .. 1, as the face moves and as the
    body does.  hints: [B, 5, g, g]: how far to trust each, 0 where no mesh tells anything; the
    mouth's, the eyes' and the irises' insides in the frame that is wanted, -1 outside and 1
    inside.  novel: [B, 1, g, g], 0 .. 1: the inside of a mouth as far as the key frame's was less
    open, which no motion can fetch."""

    motion: Tensor
    hints: Tensor
    novel: Tensor


class Guide(Module):
    """A mesh is mean + motion . numbers + shape . remainder, landmarks of mouth and eyes weighing
    more; both bases are orthonormal, and to each other."""

    depth: Tensor
    mean: Tensor
    motion: Tensor
    shape: Tensor
    weights: Tensor

    def __init__(self, numbers: int, shape: int) -> None:
        super().__init__()
        weights = np.ones((MARKS, 2), np.float32)
        weights[[*MOUTH, *LIPS, *(i for eye in EYES for i in eye), *IRISES]] = _CLOSER
        weights[LANDMARKS:] = _STEADIER
        away = FaceModel.load().mean[:, 2]
        depth = ((away - away[[*_EARS]].mean() + _OUTLINE) / _DEPTH).astype(np.float32)
        self.register_buffer("weights", torch.from_numpy(weights.ravel()), persistent=False)
        self.register_buffer("depth", torch.from_numpy(depth), persistent=False)
        self.register_buffer("mean", torch.full((2 * MARKS,), 0.5))
        self.register_buffer("motion", torch.zeros(numbers, 2 * MARKS))
        self.register_buffer("shape", torch.zeros(shape, 2 * MARKS))

    @property
    def count(self) -> int:
        """Numbers of a frame."""
        return int(self.motion.shape[0])

    def learn(self, meshes: Array, clips: Array) -> None:
        """The model of meshes [F, P, 2] of clips [F].

        motion: every affine motion of the face's mean, the principal components of what the faces
        of a clip differ by, the rigid motions of the body.  shape: the components of what is left
        of clips' mean faces.  Raises InputError where there are too few.
        """
        if meshes.shape[1:] != (MARKS, 2) or len(meshes) <= len(self.motion):
            raise InputError(
                f"{len(meshes)} meshes of {meshes.shape[1]} marks teach no guide",
                "Prepare the crops again, of more clips: facewire train-mttf CLIPS -o WEIGHTS",
            )
        weights = self.weights.cpu().numpy().astype(np.float64)
        faces = meshes[:, :LANDMARKS].reshape(len(meshes), -1)
        mean, heavy = faces.mean(axis=0, dtype=np.float64), weights[: 2 * LANDMARKS]
        flat = (faces - mean) * heavy
        means = np.stack([flat[clips == clip].mean(axis=0) for clip in np.unique(clips)])
        within = flat - means[np.unique(clips, return_inverse=True)[1]]
        moved = _affine(mean.reshape(-1, 2), heavy)
        moved = np.concatenate([moved, _components(within, moved, self.count - _AFFINE - _RIGID)])
        shape = _components(means, moved, len(self.shape))
        for buffer, value in (
            (self.mean, np.concatenate([mean, BODY.ravel()])),
            (self.motion, _beside(moved, _rigid(BODY))),
            (self.shape, _beside(shape, np.zeros((0, 2 * len(BODY))))),
        ):
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
            key = self.mesh(face)
            told = lesson(key[:, :LANDMARKS], wanted[:, :LANDMARKS], side, self.depth)
            grid = (identity_grid(side, wanted) + 1) / 2
            body = 2 * affine(wanted[:, LANDMARKS:], key[:, LANDMARKS:], grid) - 1
            trust = torch.stack([told.weight, _BODILY * _below(wanted, grid)], dim=1)
            hints = torch.cat([trust, outlined(wanted, side)], dim=1)
            opened = 1 - _gap(key) / _gap(wanted)
            novel = hints[:, CANDIDATES : CANDIDATES + 1].clamp_min(0) * opened.clamp(0, 1)
            return Guidance(torch.stack([told.motion, body], dim=1), hints, novel)


def _gap(mesh: Tensor) -> Tensor:
    """[B, 1, 1, 1]: how far a mouth is open, in face heights; a closed one a hundredth."""
    upper, lower, top, chin = (mesh[:, i] for i in (*_INNER_LIPS, _TOP, _CHIN))
    gap = (upper - lower).norm(dim=-1) / (top - chin).norm(dim=-1).clamp_min(1e-3)
    return (gap + 0.01)[:, None, None, None]


def _below(mesh: Tensor, grid: Tensor) -> Tensor:
    """[B, g, g]: 1 where all is the body's, below the chin; 0 above it."""
    chin, top = mesh[:, _CHIN, 1, None, None], mesh[:, _TOP, 1, None, None]
    return ((grid[..., 1] - chin) / (_NECK * (chin - top)).clamp_min(1e-3)).clamp(0, 1)


def _unguided(numbers: Tensor, side: int) -> Guidance:
    stay = identity_grid(side, numbers)[:, None].expand(len(numbers), CANDIDATES, -1, -1, -1)
    hints = numbers.new_zeros(len(numbers), HINTS, side, side)
    hints[:, CANDIDATES:] = -1
    return Guidance(stay, hints, hints[:, :1])


def _rigid(marks: Array) -> Array:
    """[4, 2 E] an orthonormal basis of shift, scale and roll of marks [E, 2]."""
    off = (marks - marks.mean(axis=0)).astype(np.float64)
    one = np.ones(len(marks))
    shifts = [np.outer(one, axis) for axis in np.eye(2)]
    rows = np.stack([x.ravel() for x in (*shifts, off, off[:, ::-1] * [-1, 1])])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _beside(face: Array, body: Array) -> Array:
    """Bases of a face's marks and of a body's -> of both."""
    faces = np.pad(face, ((0, 0), (0, 2 * len(BODY))))
    return np.concatenate([faces, np.pad(body, ((0, 0), (2 * LANDMARKS, 0)))])


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
