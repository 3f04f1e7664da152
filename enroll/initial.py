"""Where a fit starts: the tracked mesh gives the fields their first shape and first motion.

Nothing here is learned; a fit from these values needs a third of the steps of one from zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.face import CODES, FaceTrack
from avatar.morphable import FaceModel
from enroll.torso import middle_of
from render.person import Person

Array = NDArray[Any]

# The box reaches beyond the face mesh for hair, ears and neck: metres to either side, below
# the chin, above the forehead, behind the ears and in front of the nose.
_MARGIN_LOW = np.array([0.045, 0.035, 0.0])
_MARGIN_HIGH = np.array([0.045, 0.085, 0.015])
_BACK = -0.10


@dataclass(frozen=True)
class ExpressionBasis:
    """The directions, as many as there are codes, in which this person's expression varies most.

    code = directions (expression - mean): the embedding's linear path at the start.
    """

    mean: Array  # [79]
    directions: Array  # [codes, 79], orthonormal rows

    @classmethod
    def of(cls, track: FaceTrack, codes: int = CODES) -> ExpressionBasis:
        seen = track.expression[track.confidence > 0].astype(np.float64)
        mean = seen.mean(0)
        # A little of the population's own variance, so that a very still clip has directions, too.
        covariance = np.cov(seen.T) + 1e-4 * np.eye(seen.shape[1])
        _, vectors = np.linalg.eigh(covariance)
        directions = vectors[:, ::-1].T[:codes]
        # The sign of an eigenvector is free: fix it, so that two machines agree.
        largest = np.abs(directions).argmax(1)
        directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
        return cls(mean, directions)


def start_person(
    person: Person, track: FaceTrack, model: FaceModel, basis: ExpressionBasis
) -> None:
    """Give the head its box, an ellipsoid of density and the mesh's own deformation."""
    mesh = model.vertices(track.identity, basis.mean.astype(np.float32))  # [V, 3]
    person.torso.pivot.copy_(torch.from_numpy(middle_of(track.torso_reference)).float())
    box = np.stack([mesh.min(0) - _MARGIN_LOW, mesh.max(0) + _MARGIN_HIGH])
    box[0, 2] = min(_BACK, float(mesh[:, 2].min()))
    with torch.no_grad():
        person.head.box.copy_(torch.from_numpy(box).float())
        depth, height, width, _ = person.head.coarse.shape[1:]
        points = _grid(box, (depth, height, width))
        person.head.coarse[0, ..., 0] = torch.from_numpy(_inside(points, mesh)).float()
        depth, height, width = person.settings.warp
        points = _grid(box, (depth, height, width))
        moves = np.einsum("kj,jvc->kvc", basis.directions, model.expression)
        offsets = _spread(points.reshape(-1, 3), mesh, moves)  # [codes, G, 3] metres
        # A point is looked up where it was before the face moved.
        in_box = -offsets * (2.0 / (box[1] - box[0]))
        codes = len(basis.directions)
        person.head.warp[:codes] = torch.from_numpy(in_box.reshape(codes, -1)).float()


def _grid(box: Array, shape: tuple[int, int, int]) -> Array:
    """Cell corners of a grid over the box, [D, H, W, 3] metres in head space (x, y, z)."""
    z, y, x = (np.linspace(box[0, a], box[1, a], n) for a, n in zip((2, 1, 0), shape, strict=True))
    zz, yy, xx = np.meshgrid(z, y, x, indexing="ij")
    return np.stack([xx, yy, zz], axis=-1)


def _inside(points: Array, mesh: Array) -> Array:
    """Density logits of an ellipsoid around the head: 3 inside, falling through 0 to -5."""
    centre = np.array([mesh[:, 0].mean(), mesh[:, 1].mean() + 0.02, 0.0])
    radius = np.array(
        [
            0.5 * np.ptp(mesh[:, 0]) + 0.012,
            0.5 * np.ptp(mesh[:, 1]) + 0.025,
            float(mesh[:, 2].max()) - 0.01,
        ]
    )
    distance = np.linalg.norm((points - centre) / radius, axis=-1)
    return np.clip((1.0 - distance) * 20.0, -5.0, 3.0)


def _spread(points: Array, mesh: Array, moves: Array, reach: float = 0.012) -> Array:
    """Vertex displacements [K, V, 3] -> displacements at points [G, 3], as [K, G, 3].

    Gaussian weights of width `reach` metres, fading to nothing away from the mesh.
    """
    distance2 = ((points[:, None] - mesh[None]) ** 2).sum(-1)
    weights = np.exp(-distance2 / (2 * reach * reach))
    weights /= weights.sum(1, keepdims=True) + 0.3
    return np.einsum("gv,kvc->kgc", weights, moves)


def linear_path(basis: ExpressionBasis) -> tuple[Tensor, Tensor]:
    """The embedding's first linear [codes, 79] and bias [codes]."""
    linear = torch.from_numpy(basis.directions).float()
    return linear, -torch.from_numpy(basis.directions @ basis.mean).float()
