"""The fit of the face model to landmarks: analysis by synthesis, one frame or many at once.

Minimised per frame over 79 expression coefficients e and the pose (R, t), by Gauss-Newton steps:

    sum_v w_v |pi(R (S_v + E_v e) + t) - l_v|^2 + z term + |e|^2

with pi the pinhole camera, l the landmarks, S the person's neutral shape, w_v from the noise of
each landmark and, per frame, from how far off it is (a Student-t weight: a hand in front of the
face must not bend it).  MediaPipe's depth is weakly perspective and a guess of its own, so that
its z enters with a larger deviation and without its offset.  Identity and focal length are found
once, jointly with the poses of a spread of frames: bundle adjustment whose per-frame unknowns are
eliminated by their Schur complement (Triggs et al., Bundle Adjustment - A Modern Synthesis, 2000).

Letters: B frames, V = 478 points, P = 85 unknowns of a frame (79 + 3 + 3), N identity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import Pinhole, rotation_matrix, rotation_vector
from avatar.face import EXPRESSIONS
from avatar.morphable import FaceModel

Array = NDArray[Any]
_P = EXPRESSIONS + 6
_ROTATION = slice(EXPRESSIONS, EXPRESSIONS + 3)
_TRANSLATION = slice(EXPRESSIONS + 3, _P)


@dataclass(frozen=True)
class PoseFitSettings:
    """correlation: how many landmarks count as one independent observation (their errors hang
    together, so that fewer than 478 tell anything new).  depth_noise: deviation of z in those of
    x and y.  outlier: Student-t scale, in deviations.  focal, focal_spread: prior of the focal
    length, window sides and logarithmic deviation.  steps: Gauss-Newton steps a frame.
    """

    correlation: float = 12.0
    depth_noise: float = 6.0
    outlier: float = 4.0
    focal: float = 2.2
    focal_spread: float = 0.4
    identity_weight: float = 1.0
    steps: int = 4
    shared_steps: int = 12


@dataclass(frozen=True)
class Poses:
    """expression [B, 79] standard deviations; rotation [B, 3, 3] and translation [B, 3] metres,
    camera <- head; error [B] root mean square reprojection error in window sides."""

    expression: Array
    rotation: Array
    translation: Array
    error: Array

    def cut(self, rows: Any) -> Poses:
        return Poses(
            self.expression[rows], self.rotation[rows], self.translation[rows], self.error[rows]
        )


class PoseFit:
    """Fits one model.  Landmarks are [B, 478, 3]: u right and v down in the window, z away from
    the camera in window sides, relative."""

    def __init__(self, model: FaceModel, settings: PoseFitSettings = PoseFitSettings()) -> None:
        self.model = model
        self.settings = settings
        self._basis = np.ascontiguousarray(model.expression.transpose(1, 2, 0))  # [V, 3, 79]
        # The irises follow gaze, not the model: they take no part.
        weight = 1.0 / np.maximum(model.noise, 1e-6) ** 2
        weight[468:] = 0.0
        self._precision = (weight / settings.correlation).astype(np.float32)  # 1 / m^2

    def start(self, points: Array, neutral: Array, camera: Pinhole) -> Poses:
        """Poses from the landmarks' own depth, taken as a weak perspective picture."""
        count = len(points)
        seen = points * np.array([1, -1, -1], np.float32)
        weight = self._precision / self._precision.sum()
        centre_seen = np.einsum("v,bvk->bk", weight, seen)
        centre = weight @ neutral
        a = seen - centre_seen[:, None]
        b = neutral - centre
        cross = np.einsum("v,bvi,vj->bij", weight, a, b)
        left, _, right = np.linalg.svd(cross)
        turn = np.ones((count, 3), np.float32)
        turn[:, 2] = np.sign(np.linalg.det(left @ right))
        rotation = (left * turn[:, None, :]) @ right
        scale = np.einsum("bij,bij->b", cross, rotation) / float(weight @ (b * b).sum(-1))
        depth = camera.focal / np.maximum(scale, 1e-6)
        at = np.stack(
            [
                (centre_seen[:, 0] - camera.centre[0]) * depth / camera.focal,
                (centre_seen[:, 1] + camera.centre[1]) * depth / camera.focal,
                -depth,
            ],
            axis=1,
        )
        translation = at - rotation @ centre
        zero = np.zeros((count, EXPRESSIONS), np.float32)
        return Poses(
            zero, rotation.astype(np.float32), translation.astype(np.float32), np.zeros(count)
        )

    def fit(
        self,
        points: Array,
        neutral: Array,
        camera: Pinhole,
        start: Poses | None = None,
        steps: int | None = None,
    ) -> Poses:
        """The most probable expression and pose of each frame.  neutral: [V, 3]."""
        poses = self.start(points, neutral, camera) if start is None else start
        for _ in range(self.settings.steps if steps is None else steps):
            j, r, error = self._linearise(points, neutral, camera, poses)
            hessian, gradient = self._normal(j, r, poses)
            poses = _moved(poses, np.linalg.solve(hessian, gradient[..., None])[..., 0], error)
        return replace(poses, error=self.reprojection(points, neutral, camera, poses))

    def reprojection(self, points: Array, neutral: Array, camera: Pinhole, poses: Poses) -> Array:
        """[B] root mean square distance of landmark and model over the skin, window sides."""
        shape = neutral + np.tensordot(poses.expression, self.model.expression, 1)
        seen = shape @ poses.rotation.transpose(0, 2, 1) + poses.translation[:, None]
        away = camera.project(seen[:, :468]) - points[:, :468, :2]
        return np.asarray(np.sqrt(np.mean(np.sum(away * away, axis=-1), axis=1)))

    def identify(
        self,
        points: Array,
        camera: Pinhole | None = None,
    ) -> tuple[Array, Pinhole, Poses]:
        """Identity [N] and camera of the person on these frames, with the frames' poses.

        camera: known, or None to find its focal length too.
        """
        model, settings = self.model, self.settings
        free_focal = camera is None
        camera = camera or Pinhole(settings.focal)
        identity = np.zeros(model.identities, np.float32)
        basis = model.identity.transpose(1, 2, 0)  # [V, 3, N]
        poses = self.fit(points, model.mean, camera, steps=2)
        for _ in range(settings.shared_steps):
            neutral = model.neutral(identity)
            j, r, error = self._linearise(points, neutral, camera, poses)
            shared = self._shared(points, neutral, camera, poses, basis, free_focal)
            hessian, gradient = self._normal(j, r, poses)
            turned = shared.transpose(0, 2, 1)
            cross = (turned @ j).astype(np.float64)
            both = np.concatenate([cross.transpose(0, 2, 1), gradient[..., None]], axis=2)
            inner = np.linalg.solve(hessian, both)
            prior = np.full(shared.shape[-1], settings.identity_weight, np.float64)
            pull = -prior * np.append(identity, 0.0)[: len(prior)]
            if free_focal:
                prior[-1] = settings.focal_spread**-2
                pull[-1] = -prior[-1] * np.log(camera.focal / settings.focal)
            own = (turned @ shared).astype(np.float64) - cross @ inner[..., :-1]
            toward = (turned @ r[..., None]).astype(np.float64) - cross @ inner[..., -1:]
            reduced = np.diag(prior) + own.sum(axis=0)
            right = pull + toward.sum(axis=0)[:, 0]
            step = np.linalg.solve(reduced, right)
            each = inner[..., -1] - inner[..., :-1] @ step
            identity = identity + step[: model.identities].astype(np.float32)
            if free_focal:
                change = float(np.clip(step[-1], -0.3, 0.3))
                camera = replace(camera, focal=camera.focal * float(np.exp(change)))
            poses = _moved(poses, each, error)
        return identity, camera, poses

    def _linearise(
        self, points: Array, neutral: Array, camera: Pinhole, poses: Poses
    ) -> tuple[Array, Array, Array]:
        """Weighted Jacobian [B, 3V, P], weighted residual [B, 3V] and error [B]."""
        rotation = poses.rotation
        shape = neutral + np.tensordot(poses.expression, self.model.expression, 1)
        turned = shape @ rotation.transpose(0, 2, 1)  # [B, V, 3]
        seen = turned + poses.translation[:, None]
        rows, root, away = self._rows(points, camera, seen)
        # Rows in the head's frame meet the expression basis there: [B, V, 3 rows, 3] x [V, 3, 79].
        local = rows @ rotation[:, None]
        j = np.empty((*rows.shape[:3], _P), np.float32)
        basis = self._basis
        j[..., :EXPRESSIONS] = (
            local[..., 0:1] * basis[:, None, 0]
            + local[..., 1:2] * basis[:, None, 1]
            + local[..., 2:3] * basis[:, None, 2]
        )
        j[..., _ROTATION] = np.cross(turned[:, :, None, :], rows)
        j[..., _TRANSLATION] = rows
        # Depth is relative: what all its rows share says nothing.
        share = root[..., 2] ** 2
        share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-20)
        j[..., 2, :] -= np.einsum("bv,bvp->bp", share, j[..., 2, :])[:, None]
        away[..., 2] -= np.sum(share * away[..., 2], axis=1, keepdims=True)
        error = np.sqrt(np.mean(np.sum(away[:, :468, :2] ** 2, axis=-1), axis=1))
        j *= root[..., None]
        count = len(points)
        return j.reshape(count, -1, _P), (away * root).reshape(count, -1), error

    def _rows(self, points: Array, camera: Pinhole, seen: Array) -> tuple[Array, Array, Array]:
        """d(u, v, z) / d(camera point) [B, V, 3, 3], root weights [B, V, 3], residual [B, V, 3]."""
        depth = np.maximum(-seen[..., 2], 1e-3)
        scale = (camera.focal / depth).astype(np.float32)
        rows = np.zeros((*seen.shape[:2], 3, 3), np.float32)
        rows[..., 0, 0] = scale
        rows[..., 0, 2] = scale * seen[..., 0] / depth
        rows[..., 1, 1] = -scale
        rows[..., 1, 2] = -scale * seen[..., 1] / depth
        middle = np.mean(scale, axis=1, keepdims=True)
        rows[..., 2, 2] = -middle
        away = np.empty(seen.shape, np.float32)
        away[..., 0] = points[..., 0] - (camera.centre[0] + scale * seen[..., 0])
        away[..., 1] = points[..., 1] - (camera.centre[1] - scale * seen[..., 1])
        away[..., 2] = points[..., 2] + middle * seen[..., 2]
        precision = self._precision / middle**2  # [B, V], 1 / window side^2
        distance = precision * np.sum(away[..., :2] ** 2, axis=-1) * self.settings.correlation
        precision = precision / (1.0 + distance / self.settings.outlier**2)
        root = np.empty(seen.shape, np.float32)
        root[..., 0] = root[..., 1] = np.sqrt(precision)
        root[..., 2] = root[..., 0] / self.settings.depth_noise
        known = np.isfinite(points[..., 2])
        if not known.all():
            root[..., 2] *= known
            away[..., 2] = np.where(known, away[..., 2], 0.0)
        return rows, root, away

    def _shared(
        self,
        points: Array,
        neutral: Array,
        camera: Pinhole,
        poses: Poses,
        basis: Array,
        free_focal: bool,
    ) -> Array:
        """Weighted Jacobian of what all frames share: [B, 3V, N (+ 1 for log focal)]."""
        shape = neutral + np.tensordot(poses.expression, self.model.expression, 1)
        seen = shape @ poses.rotation.transpose(0, 2, 1) + poses.translation[:, None]
        rows, root, _ = self._rows(points, camera, seen)
        local = rows @ poses.rotation[:, None]
        j = sum(local[..., k, None] * basis[:, None, k] for k in range(3))
        if free_focal:
            by_focal = np.einsum("bvrk,bvk->bvr", rows, seen)
            depth = np.maximum(-seen[..., 2], 1e-3)
            by_focal[..., 0] = camera.focal * seen[..., 0] / depth
            by_focal[..., 1] = -camera.focal * seen[..., 1] / depth
            j = np.concatenate([j, by_focal[..., None]], axis=-1)
        share = root[..., 2] ** 2
        share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-20)
        j[..., 2, :] -= np.einsum("bv,bvp->bp", share, j[..., 2, :])[:, None]
        j = j * root[..., None]
        return np.asarray(j.reshape(len(points), -1, j.shape[-1]), np.float32)

    def _normal(self, j: Array, r: Array, poses: Poses) -> tuple[Array, Array]:
        """Normal equations with the prior: [B, P, P] and [B, P]."""
        transposed = j.transpose(0, 2, 1)
        hessian = (transposed @ j).astype(np.float64)
        gradient = (transposed @ r[..., None])[..., 0].astype(np.float64)
        index = np.arange(EXPRESSIONS)
        hessian[:, index, index] += 1.0
        gradient[:, :EXPRESSIONS] -= poses.expression
        # Keeps an unseen direction from running away; far below what any face tells.
        pose = np.arange(EXPRESSIONS, _P)
        hessian[:, pose, pose] += 1.0
        return hessian, gradient


def _moved(poses: Poses, step: Array, error: Array) -> Poses:
    step = step.astype(np.float32)
    turn = np.clip(step[:, _ROTATION], -0.5, 0.5)
    rotation = rotation_matrix(turn) @ poses.rotation
    # Back onto the rotations: float32 products drift.
    rotation = rotation_matrix(rotation_vector(rotation.astype(np.float64)))
    translation = poses.translation + step[:, _TRANSLATION]
    translation[:, 2] = np.minimum(translation[:, 2], 0.25 * poses.translation[:, 2])
    return Poses(
        poses.expression + step[:, :EXPRESSIONS],
        rotation.astype(np.float32),
        translation,
        error,
    )
