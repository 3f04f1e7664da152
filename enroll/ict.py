"""ICT-FaceKit (Li et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020)
as a second face model: heads whose pose and expression are known, to hold the tracker to.

The file: `neutral` [26719, 3], `identity` [100, V, 3] and `expression` [57, V, 3] displacements,
centimetres, `faces` [26384, 4], `expression_names`.  Coefficients of expressions run from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.assets import find_asset
from avatar.camera import Pinhole, rotation_matrix
from avatar.errors import FormatError, InputError, MissingError
from avatar.morphable import SKIN_POINTS, FaceModel

Array = NDArray[Any]

# The front of the head, where the 468 points can be: the file's first vertices are face and neck.
_FACE_VERTICES = 9409
_NEAREST = 8  # vertices among which a point's place on the surface is found


@dataclass(frozen=True)
class IctFace:
    """neutral [V, 3], identity [100, V, 3], expression [57, V, 3]: metres, ICT's own axes and
    origin (x to the viewer's right, y up, z out).  quads: [Q, 4].  names: of the expressions."""

    neutral: Array
    identity: Array
    expression: Array
    quads: Array
    names: tuple[str, ...]

    @staticmethod
    def load(folder: str | Path | None = None) -> IctFace:
        """From `ict_facekit.npz` in the folder or $FACEWIRE_MODELS; raises MissingError."""
        return _load(find_asset("ict_facekit.npz", folder))

    def vertices(self, identity: Array, expression: dict[str, float]) -> Array:
        """[100] standard deviations and named expressions 0..1 -> [V, 3] metres."""
        shape = self.neutral + np.tensordot(np.asarray(identity), self.identity[: len(identity)], 1)
        for name, amount in expression.items():
            if name not in self.names:
                raise InputError(
                    f"ICT-FaceKit has no expression {name}.", f"One of: {', '.join(self.names)}"
                )
            shape = shape + amount * self.expression[self.names.index(name)]
        return np.asarray(shape)

    def mesh(self, identity: Array, expression: dict[str, float]) -> Any:
        """The same as a trimesh.Trimesh."""
        trimesh = _trimesh()
        triangles = np.concatenate([self.quads[:, [0, 1, 2]], self.quads[:, [0, 2, 3]]])
        return trimesh.Trimesh(self.vertices(identity, expression), triangles, process=False)


@lru_cache(maxsize=1)
def _load(path: Path) -> IctFace:
    try:
        with np.load(path) as data:
            return IctFace(
                neutral=data["neutral"].astype(np.float64) * 0.01,
                identity=data["identity"].astype(np.float32) * np.float32(0.01),
                expression=data["expression"].astype(np.float32) * np.float32(0.01),
                quads=data["faces"].astype(np.int64),
                names=tuple(str(name) for name in data["expression_names"]),
            )
    except (OSError, KeyError, ValueError) as error:
        raise FormatError(
            f"{path.name} cannot be read: {error}", "Replace it by the original."
        ) from None


@dataclass(frozen=True)
class Correspondence:
    """Where the 468 points lie on ICT's surface, and how its axes become the head's.

    corners, weights: [468, 3] vertices and their barycentric weights.  scale, rotation,
    translation: head = scale * rotation @ ict + translation, metres.
    """

    corners: Array
    weights: Array
    scale: float
    rotation: Array
    translation: Array

    def points(self, vertices: Array) -> Array:
        """[V, 3] ICT -> [468, 3] head space."""
        on = np.einsum("vc,vck->vk", self.weights, vertices[self.corners])
        return self.scale * on @ self.rotation.T + self.translation


def correspond(ict: IctFace, model: FaceModel, rounds: int = 12) -> Correspondence:
    """Aligns the two mean faces by iterated closest points and takes, for each of the 468 points,
    the nearest place on ICT's surface."""
    from scipy.spatial import cKDTree

    used = np.all(ict.quads < _FACE_VERTICES, axis=1)
    triangles = np.concatenate([ict.quads[used][:, [0, 1, 2]], ict.quads[used][:, [0, 2, 3]]])
    target = ict.neutral
    skin = model.mean[:SKIN_POINTS].astype(np.float64)
    # Noses first: both z axes look out of the face.
    near = target[:_FACE_VERTICES]
    nose = near[np.argmax(near[:, 2] - 2.0 * np.abs(near[:, 0]))]
    place = skin - skin[np.argmax(skin[:, 2])] + nose
    tree = cKDTree(target[triangles].mean(axis=1))
    for _ in range(rounds):
        corners, weights = _closest(place, target, triangles, tree)
        on = np.einsum("vc,vck->vk", weights, target[corners])
        keep = np.linalg.norm(on - place, axis=1)
        keep = np.exp(-((keep / max(np.median(keep) * 2, 1e-6)) ** 2))
        scale, rotation, shift = _similarity(place, on, keep)
        place = scale * place @ rotation.T + shift
    corners, weights = _closest(place, target, triangles, tree)
    on = np.einsum("vc,vck->vk", weights, target[corners])
    scale, rotation, shift = _similarity(on, skin, np.ones(len(on)))
    return Correspondence(corners, weights, scale, rotation, shift)


def _closest(points: Array, vertices: Array, triangles: Array, tree: Any) -> tuple[Array, Array]:
    """Corners and weights of the nearest place on the triangles."""
    _, near = tree.query(points, k=_NEAREST)
    corners = triangles[near]  # [P, K, 3]
    a, b, c = (vertices[corners[..., k]] for k in range(3))
    p = points[:, None]
    ab, ac, ap = b - a, c - a, p - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    bottom = np.maximum(d00 * d11 - d01 * d01, 1e-18)
    v = (d11 * d20 - d01 * d21) / bottom
    w = (d00 * d21 - d01 * d20) / bottom
    # Outside the triangle its nearest corner mix will do: neighbours are among the candidates.
    weights = np.clip(np.stack([1 - v - w, v, w], axis=-1), 0, 1)
    weights = weights / weights.sum(-1, keepdims=True)
    on = np.einsum("pkc,pkcx->pkx", weights, vertices[corners])
    best = np.argmin(np.linalg.norm(on - p, axis=-1), axis=1)
    rows = np.arange(len(points))
    return corners[rows, best], weights[rows, best]


def _similarity(source: Array, target: Array, weight: Array) -> tuple[float, Array, Array]:
    weight = weight / weight.sum()
    a: Array = source - weight @ source
    b: Array = target - weight @ target
    left, size, right = np.linalg.svd((b * weight[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * sign) @ right
    scale = float((size * sign).sum() / np.sum(weight[:, None] * a * a))
    return scale, rotation, weight @ target - scale * rotation @ (weight @ source)


def synthetic_landmarks(head: Array, rotation: Array, translation: Array, camera: Pinhole) -> Array:
    """What a perfect landmark network would see: [F, 468, 3] head-space points and poses
    (rotation vectors [F, 3], translation [F, 3] metres) -> [F, 478, 3] in the window, z relative
    in window sides; the irises are not there (NaN)."""
    seen = head @ rotation_matrix(rotation).transpose(0, 2, 1) + translation[:, None]
    uv = camera.project(seen)
    middle = camera.focal / -seen[..., 2].mean(axis=1)
    z = -(seen[..., 2] - seen[..., 2].mean(axis=1, keepdims=True)) * middle[:, None]
    out = np.full((len(seen), 478, 3), np.nan, np.float32)
    out[:, :SKIN_POINTS] = np.concatenate([uv, z[..., None]], axis=-1)
    return out


def _trimesh() -> Any:
    try:
        import trimesh
    except ImportError:
        raise MissingError(
            "trimesh, which writes meshes, is not installed.", "pip install 'facewire[enroll]'"
        ) from None
    return trimesh
