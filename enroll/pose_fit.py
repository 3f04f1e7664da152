"""The fit of the face model to landmarks: analysis by synthesis, one frame or many at once.

Minimised per frame over 79 expression coefficients e and the pose (R, t), by Gauss-Newton steps:

    sum_v w_v |pi(R (S_v + E_v e) + t) - l_v|^2 + z term + |e|^2

with pi the pinhole camera, l the landmarks, S the person's neutral shape, w_v from the noise of
each landmark and, per frame, from how far off it is (a Student-t weight: a hand in front of the
face must not bend it).  MediaPipe's depth is weakly perspective and a guess of its own, so that
its z enters with a larger deviation and without its offset.  Identity and focal length are found
once, jointly with the poses of a spread of frames: bundle adjustment whose per-frame unknowns are
eliminated by their Schur complement (Triggs et al., Bundle Adjustment - A Modern Synthesis, 2000).

The gradient is exact.  In the curvature, the coefficients' own block takes every vertex to be seen
as the face on average is, so that it is a sum of six matrices made once; this changes the way to
the optimum, not the optimum, and makes a step a hundred times cheaper than products of Jacobians.
Where landmarks are missing the average says too little, and far from the optimum, where each
vertex has a weight of its own, it can take curvature away that the prior alone gives: steps would
not converge, or leap away, and the block is exact.

Letters: B frames, V = 468 points, N identity, L linear coefficients, P = L + 6 (+ 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import Pinhole, rotation_matrix
from avatar.face import EXPRESSIONS
from avatar.morphable import SKIN_POINTS, FaceModel

Array = NDArray[Any]
_V = SKIN_POINTS  # the irises follow gaze, not the model: they take no part
_CHUNK = 8  # frames fitted at once
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_LEAST = 0.5  # of a curvature to which the prior adds 1


@dataclass(frozen=True)
class PoseFitSettings:
    """correlation: how many landmarks count as one independent observation (their errors hang
    together, so that fewer than 478 tell anything new).  depth_noise: deviation of z in those of
    x and y.  outlier: Student-t scale, in deviations, of 0.3 mm mostly: an open mouth is far from
    the mean face and no outlier.  focal, focal_spread: prior of the focal length, window sides
    and logarithmic deviation.  steps: Gauss-Newton steps a frame.
    """

    correlation: float = 12.0
    depth_noise: float = 6.0
    outlier: float = 10.0
    focal: float = 2.2
    focal_spread: float = 0.4
    identity_weight: float = 1.0
    steps: int = 5
    shared_steps: int = 10


@dataclass(frozen=True)
class Poses:
    """expression [B, 79] standard deviations; rotation [B, 3, 3] and translation [B, 3] metres,
    camera <- head; error [B] root mean square reprojection error in window sides."""

    expression: Array
    rotation: Array
    translation: Array
    error: Array


class PoseFit:
    """Fits one model.  Landmarks are [B, 478, 3]: u right and v down in the window, z away from
    the camera in window sides, relative."""

    def __init__(self, model: FaceModel, settings: PoseFitSettings = PoseFitSettings()) -> None:
        self.model = model
        self.settings = settings
        noise = np.maximum(model.noise[:_V], 1e-6)
        self._precision = (noise**-2 / settings.correlation).astype(np.float32)  # [V], 1 / m^2
        self._expression = _Linear(model.expression, self._precision)
        self._both = _Linear(np.concatenate([model.expression, model.identity]), self._precision)

    def start(self, points: Array, neutral: Array, camera: Pinhole) -> Poses:
        """Poses from the landmarks' own depth, taken as a weak perspective picture."""
        count = len(points)
        neutral = neutral[:_V]
        seen = _completed(points[:, :_V], neutral) * np.array([1, -1, -1], np.float32)
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
        """The most probable expression and pose of each frame.  neutral: [478, 3]."""
        poses = self.start(points, neutral, camera) if start is None else start
        for _ in range(self.settings.steps if steps is None else steps):
            hessian, gradient = self._normal(points, neutral, camera, poses, self._expression)
            gradient[:, :EXPRESSIONS] -= poses.expression
            poses = _moved(poses, np.linalg.solve(hessian, gradient[..., None])[..., 0])
        return replace(poses, error=self.reprojection(points, neutral, camera, poses))

    def reprojection(self, points: Array, neutral: Array, camera: Pinhole, poses: Poses) -> Array:
        """[B] root mean square distance of landmark and model over the skin, window sides."""
        seen = self._turned(neutral, poses) + poses.translation[:, None]
        away = camera.project(seen) - points[:, :_V, :2]
        return np.asarray(np.sqrt(np.nanmean(np.sum(away * away, axis=-1), axis=1)))

    def fit_all(self, points: Array, neutral: Array, camera: Pinhole) -> Poses:
        """`fit` for any number of frames, a few at a time: their matrices stay in the cache."""
        parts = [
            self.fit(points[k : k + _CHUNK], neutral, camera) for k in range(0, len(points), _CHUNK)
        ]
        return Poses(*(np.concatenate(column) for column in zip(*map(_columns, parts))))

    def identify(
        self, points: Array, camera: Pinhole | None = None, identity: Array | None = None
    ) -> tuple[Array, Pinhole]:
        """Identity [N] and camera of the person on these frames.

        camera, identity: known, or None to be found.
        """
        model, settings = self.model, self.settings
        free_focal, free_shape = camera is None, identity is None
        camera = camera or Pinhole(settings.focal)
        people = model.identities
        shape = np.zeros(people) if identity is None else np.asarray(identity, np.float64)
        prior = np.full(people + 1, settings.identity_weight)
        prior[-1] = settings.focal_spread**-2
        free = np.r_[np.full(people, free_shape), free_focal]
        # Order of unknowns: 79 expression, N identity, 6 pose, log focal.
        own = np.r_[:EXPRESSIONS, EXPRESSIONS + people : EXPRESSIONS + people + 6]
        shared = np.r_[EXPRESSIONS : EXPRESSIONS + people, EXPRESSIONS + people + 6]
        poses = self.fit(points, model.neutral(shape), camera, steps=3)
        for _ in range(settings.shared_steps):
            neutral = model.neutral(shape)
            hessian, gradient = self._normal(points, neutral, camera, poses, self._both, True)
            gradient[:, :EXPRESSIONS] -= poses.expression
            cross = hessian[:, shared[:, None], own]
            right = np.concatenate([cross.transpose(0, 2, 1), gradient[:, own, None]], axis=2)
            inner = np.linalg.solve(hessian[:, own[:, None], own], right)
            reduced = (hessian[:, shared[:, None], shared] - cross @ inner[..., :-1]).sum(axis=0)
            toward = (gradient[:, shared] - (cross @ inner[..., -1:])[..., 0]).sum(axis=0)
            reduced += np.diag(prior)
            toward -= prior * np.append(shape, np.log(camera.focal / settings.focal))
            step = np.zeros(people + 1)
            if free.any():
                step[free] = np.linalg.solve(reduced[np.ix_(free, free)], toward[free])
            step[-1] = np.clip(step[-1], -0.3, 0.3)
            shape = shape + step[:-1]
            camera = replace(camera, focal=camera.focal * float(np.exp(step[-1])))
            poses = _moved(poses, inner[..., -1] - inner[..., :-1] @ step)
        return shape.astype(np.float32), camera

    def _turned(self, neutral: Array, poses: Poses) -> Array:
        """[B, V, 3]: the posed faces about the camera's axes, before translation."""
        shape = neutral[:_V] + self._expression.shape(poses.expression)
        return np.asarray(shape @ poses.rotation.transpose(0, 2, 1))

    def _normal(
        self,
        points: Array,
        neutral: Array,
        camera: Pinhole,
        poses: Poses,
        linear: _Linear,
        with_focal: bool = False,
    ) -> tuple[Array, Array]:
        """Normal equations [B, P, P], [B, P]: L linear coefficients, rotation, translation, and
        the logarithm of the focal length, which makes the curvature exact.  The expression's
        prior is in the curvature; its pull is the caller's, who knows whose coefficients they
        are."""
        turned = self._turned(neutral, poses)
        seen = turned + poses.translation[:, None]
        pull, push = self._pulls(points[:, :_V], camera, turned, seen, with_focal)
        count, size, rigid = len(points), linear.size, push.moves.shape[1]
        # Into the head's frame, where the bases live.
        pulls = np.concatenate([push.pulls, pull[:, None]], axis=1)  # [B, 7 (8), V, 3]
        local = pulls.reshape(count, -1, 3) @ poses.rotation
        onto = local.reshape(count, rigid + 1, -1) @ linear.flat  # [B, 7 (8), L]
        hessian = np.empty((count, size + rigid, size + rigid))
        mean = poses.rotation.transpose(0, 2, 1) @ push.mean() @ poses.rotation
        hessian[:, :size, :size] = linear.curvature(mean / self._precision.sum())
        hessian[:, size:, :size] = onto[:, :-1]
        hessian[:, :size, size:] = onto[:, :-1].transpose(0, 2, 1)
        moves = push.moves.reshape(count, rigid, -1)
        hessian[:, size:, size:] = moves @ push.pulls.reshape(count, rigid, -1).transpose(0, 2, 1)
        prior = np.arange(EXPRESSIONS)
        hessian[:, prior, prior] += 1.0
        # Keeps an unseen direction from running away; far below what any face tells.
        index = np.arange(size, size + 6)
        hessian[:, index, index] += 1.0
        average = np.isfinite(points[:, :_V, 0]).all() and not with_focal
        exact = ~_holding(hessian) if average else np.ones(count, bool)
        for k in np.flatnonzero(exact):
            hessian[k, :size, :size] = push.curvature(k, poses.rotation[k], linear.flat)
            hessian[k, prior, prior] += 1.0
        gradient = np.empty((count, size + rigid))
        gradient[:, :size] = onto[:, -1]
        gradient[:, size:] = (moves @ pull.reshape(count, -1, 1))[..., 0]
        return hessian, gradient

    def _pulls(
        self, points: Array, camera: Pinhole, turned: Array, seen: Array, with_focal: bool
    ) -> tuple[Array, _Push]:
        """Where the residuals pull each vertex, camera space [B, V, 3], and how that changes."""
        depth = np.maximum(-seen[..., 2], 1e-3)
        scale = np.float32(camera.focal) / depth
        a, b = seen[..., 0] / depth, seen[..., 1] / depth
        middle = np.mean(scale, axis=1, keepdims=True)
        u = points[..., 0] - camera.centre[0] - scale * seen[..., 0]
        v = camera.centre[1] - scale * seen[..., 1] - points[..., 1]  # up, as the camera's y
        there = np.isfinite(u)
        precision = there * self._precision / middle**2  # [B, V], 1 / window side^2
        u, v = np.where(there, u, 0.0), np.where(there, v, 0.0)
        distance = precision * (u * u + v * v) * self.settings.correlation
        precision = precision / (1.0 + distance / self.settings.outlier**2)
        known = np.isfinite(points[..., 2])
        z = np.where(known, points[..., 2], 0.0) + middle * seen[..., 2]
        deep = np.where(known, precision / self.settings.depth_noise**2, 0.0)
        share = deep / np.maximum(deep.sum(axis=1, keepdims=True), 1e-20)
        # Depth is relative: what all share says nothing.
        z = z - np.sum(share * z, axis=1, keepdims=True)
        flat = precision * scale
        pull = np.empty(seen.shape, np.float32)
        pull[..., 0], pull[..., 1] = flat * u, flat * v
        pull[..., 2] = flat * (a * u + b * v) - deep * middle * z
        push = _Push(
            flat * scale, a, b, deep * middle**2, share, turned, seen if with_focal else None
        )
        return pull, push


class _Push:
    """What the unknowns of pose (rotation, translation, log focal) do to vertices.

    moves: [B, 6 (7), V, 3] metres a unit; pulls: the same times the curvature K of each vertex,
    which is w (1 0 a; 0 1 b; a b a^2 + b^2) from u and v, and depth's own in its last place.
    """

    def __init__(
        self,
        flat: Array,
        a: Array,
        b: Array,
        deep: Array,
        share: Array,
        turned: Array,
        seen: Array | None,
    ) -> None:
        self._flat, self._a, self._b, self._deep, self._share = flat, a, b, deep, share
        count, points = flat.shape
        moves = np.zeros((count, 6 if seen is None else 7, points, 3), np.float32)
        x, y, z = turned[..., 0], turned[..., 1], turned[..., 2]
        moves[:, 0, :, 1], moves[:, 0, :, 2] = -z, y
        moves[:, 1, :, 0], moves[:, 1, :, 2] = z, -x
        moves[:, 2, :, 0], moves[:, 2, :, 1] = -y, x
        for k in range(3):
            moves[:, 3 + k, :, k] = 1.0
        if seen is not None:  # a longer lens spreads points as moving them outwards does
            moves[:, 6, :, :2] = seen[..., :2]
        self.moves = moves
        self.pulls = self._curved(moves)

    def _curved(self, moves: Array, frames: slice = slice(None)) -> Array:
        flat, a, b, deep, share = (
            each[frames, None] for each in (self._flat, self._a, self._b, self._deep, self._share)
        )
        out = np.empty_like(moves)
        u = flat * (moves[..., 0] + a * moves[..., 2])
        v = flat * (moves[..., 1] + b * moves[..., 2])
        z = moves[..., 2]
        z = z - np.sum(share * z, axis=2, keepdims=True)
        out[..., 0], out[..., 1] = u, v
        out[..., 2] = a * u + b * v + deep * z
        return out

    def mean(self) -> Array:
        """[B, 3, 3]: K summed over the vertices."""
        flat, a, b = self._flat, self._a, self._b
        out = np.empty((len(flat), 3, 3))
        out[:, 0, 0] = out[:, 1, 1] = flat.sum(axis=1)
        out[:, 0, 1] = out[:, 1, 0] = 0.0
        out[:, 0, 2] = out[:, 2, 0] = (flat * a).sum(axis=1)
        out[:, 1, 2] = out[:, 2, 1] = (flat * b).sum(axis=1)
        out[:, 2, 2] = (flat * (a * a + b * b) + self._deep).sum(axis=1)
        return out

    def curvature(self, frame: int, rotation: Array, basis: Array) -> Array:
        """[L, L], exact: basis [3V, L] in the head's frame."""
        size = basis.shape[1]
        turned = (rotation @ basis.reshape(-1, 3, size)).transpose(2, 0, 1)  # [L, V, 3]
        curved = self._curved(turned[None], slice(frame, frame + 1))[0]
        return np.asarray(turned.reshape(size, -1) @ curved.reshape(size, -1).T)


class _Linear:
    """A linear basis [L, 478, 3] and its Gram matrices under the landmarks' precision [V]."""

    def __init__(self, basis: Array, precision: Array) -> None:
        used = basis[:, :_V].astype(np.float32)
        self.size = len(used)
        self.flat = np.ascontiguousarray(used.reshape(self.size, -1).T)  # [3V, L]
        heavy = used * precision[:, None]
        pairs = [used[:, :, k] @ heavy[:, :, m].T for k, m in _PAIRS]
        self._gram = np.stack([g if k == m else g + g.T for g, (k, m) in zip(pairs, _PAIRS)])

    def shape(self, coefficients: Array) -> Array:
        """[B, L] -> [B, V, 3]"""
        return np.asarray((coefficients @ self.flat.T).reshape(-1, _V, 3))

    def curvature(self, mean: Array) -> Array:
        """[B, L, L] where every vertex pulls as `mean` [B, 3, 3] (for precision 1) does."""
        parts = np.stack([mean[:, k, m] for k, m in _PAIRS], axis=1)
        flat = parts @ self._gram.reshape(len(_PAIRS), -1)
        return np.asarray(flat.reshape(-1, self.size, self.size))


def _completed(points: Array, neutral: Array) -> Array:
    """Landmarks [B, V, 3] with what a source leaves out (NaN): the neutral face, moved, scaled and
    turned in the picture's plane onto the points that are there."""
    there = np.isfinite(points).all(axis=2)
    if there.all():
        return points
    out = points.copy()
    shape = neutral * np.array([1, -1, -1], np.float32)
    for frame, known in zip(out, np.isfinite(points[..., 0]), strict=True):
        a, b = shape[known, :2] @ [1, 1j], frame[known, :2] @ [1, 1j]
        onto = np.vdot(a - a.mean(), b - b.mean()) / np.vdot(a - a.mean(), a - a.mean())
        guess = onto * (shape[:, :2] @ [1, 1j] - a.mean()) + b.mean()
        whole = np.stack([guess.real, guess.imag, abs(onto) * shape[:, 2]], axis=1)
        frame[:] = np.where(np.isfinite(frame), frame, whole)
    return out


def _holding(hessian: Array) -> Array:
    """[B] bool: whether curvatures [B, P, P] are all so large that a step is none too far."""
    lifted = hessian - _LEAST * np.eye(hessian.shape[-1])
    try:
        np.linalg.cholesky(lifted)
    except np.linalg.LinAlgError:
        if len(hessian) > 1:
            return np.concatenate([_holding(one[None]) for one in hessian])
        return np.zeros(1, bool)
    return np.ones(len(hessian), bool)


def _columns(poses: Poses) -> tuple[Array, Array, Array, Array]:
    return poses.expression, poses.rotation, poses.translation, poses.error


def _moved(poses: Poses, step: Array) -> Poses:
    """step: [B, 79 + 3 + 3], the rotation on the camera's side."""
    step = step.astype(np.float32)
    turn = np.clip(step[:, EXPRESSIONS : EXPRESSIONS + 3], -0.5, 0.5)
    rotation = rotation_matrix(turn) @ poses.rotation
    # Back onto the rotations, for products drift: Newton's step of the polar decomposition (Higham,
    # SIAM J. Sci. Stat. Comput. 1986), which needs no inverse so near.
    rotation = rotation @ (1.5 * np.eye(3) - 0.5 * rotation.transpose(0, 2, 1) @ rotation)
    translation = poses.translation + step[:, EXPRESSIONS + 3 :]
    translation[:, 2] = np.minimum(translation[:, 2], 0.25 * poses.translation[:, 2])
    return Poses(
        poses.expression + step[:, :EXPRESSIONS],
        rotation.astype(np.float32),
        translation,
        poses.error,
    )
