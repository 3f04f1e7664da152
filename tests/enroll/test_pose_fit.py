"""The fit against heads of known pose: our own model's for its arithmetic, ICT-FaceKit's for the
truth of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.camera import Pinhole, rotation_matrix, rotation_vector
from avatar.face import EXPRESSIONS
from avatar.morphable import FaceModel
from enroll.ict import IctFace, correspond, synthetic_landmarks
from enroll.pose_fit import PoseFit, PoseFitSettings

CAMERA = Pinhole(2.5)


def poses(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rotation = np.radians(rng.uniform([-15, -30, -12], [15, 30, 12], (count, 3)))
    place = np.c_[rng.uniform(-0.06, 0.06, (count, 2)), -rng.uniform(0.6, 0.9, count)]
    return rotation, place


def turned_by(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """[F, 3] degrees between rotations: matrices and rotation vectors."""
    between = got.astype(float) @ rotation_matrix(want).transpose(0, 2, 1)
    return np.degrees(rotation_vector(between))


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return FaceModel.load()


def test_the_fit_is_at_the_objectives_minimum(model):
    settings = PoseFitSettings(outlier=1e6, depth_noise=1e6, steps=30)
    rng = np.random.default_rng(1)
    rotation, place = poses(1)
    points = synthetic_landmarks(model.mean[None, :468], rotation, place, CAMERA)
    points[:, :468, :2] += rng.normal(size=(1, 468, 2)) * 0.004
    best = PoseFit(model, settings).fit(points, model.mean, CAMERA)
    turn = best.rotation[0].astype(float)

    def seen(coefficients, turned, shift):
        shape = model.mean[:468] + np.tensordot(coefficients, model.expression[:, :468], 1)
        return shape @ (rotation_matrix(turned) @ turn).T + best.translation[0] + shift

    at, nothing = best.expression[0].astype(float), np.zeros(3)
    scale = np.mean(CAMERA.focal / -seen(at, nothing, nothing)[:, 2])
    weight = (model.noise[:468] * scale) ** -2 / settings.correlation

    def objective(coefficients, turned=nothing, shift=nothing):
        away = CAMERA.project(seen(coefficients, turned, shift)) - points[0, :468, :2]
        return np.sum(weight * np.sum(away**2, axis=1)) + np.sum(coefficients**2)

    here = objective(at)
    for sign in (1, -1):
        for k in range(0, EXPRESSIONS, 6):
            assert objective(at + sign * 0.05 * np.eye(EXPRESSIONS)[k]) > here - 1e-3, k
        for axis in np.eye(3):
            assert objective(at, turned=sign * 2e-3 * axis) > here - 1e-3
            assert objective(at, shift=sign * 5e-4 * axis) > here - 1e-3


def test_our_own_heads_come_back(model):
    rng = np.random.default_rng(2)
    rotation, place = poses(12)
    identity = 0.7 * rng.normal(size=model.identities)
    expression = rng.normal(size=(12, EXPRESSIONS))
    heads = model.vertices(np.tile(identity, (12, 1)), expression)[:, :468]
    points = synthetic_landmarks(heads, rotation, place, CAMERA)
    got = PoseFit(model).fit_all(points, model.neutral(identity), CAMERA)
    assert np.abs(turned_by(got.rotation, rotation)).max() < 0.8
    np.testing.assert_allclose(got.translation[:, 2], place[:, 2], rtol=0.02)
    # Not zero: 79 coefficients of a whole deviation each are far from what the prior expects.
    assert got.error.max() * 256 < 0.4
    big = np.argsort(-np.sum(model.expression**2, axis=(1, 2)))[:5]
    apart = got.expression[:, big] - expression[:, big]
    assert np.sqrt(np.mean(apart**2)) < 0.35


def test_a_head_that_nods_is_followed_from_the_frame_before(model):
    """Far from where it was all vertices are outliers, each as much as it is off: the curvature of
    the average one then is none, and steps of it leap away."""
    rng = np.random.default_rng(8)
    rotation, place = poses(40, seed=8)
    expression = 1.5 * rng.normal(size=(40, EXPRESSIONS))
    moved = expression + 0.5 * rng.normal(size=expression.shape)
    nod = np.radians(rng.uniform(-4, 4, (40, 3)))
    identity = np.zeros((40, model.identities))

    def seen(coefficients, turn, at):
        heads = model.vertices(identity, coefficients)[:, :468]
        points = synthetic_landmarks(heads, turn, at, CAMERA)
        points[:, :468, :2] += rng.normal(size=(40, 468, 2)) * 5e-4
        return points

    fit = PoseFit(model)
    before = fit.fit(seen(expression, rotation, place), model.mean, CAMERA, steps=12)
    points = seen(moved, rotation + nod, place + rng.uniform(-0.012, 0.012, (40, 3)))
    after = fit.fit(points, model.mean, CAMERA, before, 3)
    settled = fit.fit(points, model.mean, CAMERA, steps=12)
    assert after.error.max() < 1.5 * settled.error.max()
    assert np.abs(after.expression).max() < 1.5 * np.abs(settled.expression).max()
    turned = after.rotation.astype(float) @ settled.rotation.astype(float).transpose(0, 2, 1)
    assert np.abs(np.degrees(rotation_vector(turned))).max() < 0.5


def test_a_hand_before_the_mouth_does_not_turn_the_head(model):
    rotation, place = poses(6, seed=3)
    points = synthetic_landmarks(np.tile(model.mean[:468], (6, 1, 1)), rotation, place, CAMERA)
    hidden = points.copy()
    low = model.mean[:468, 1] < model.mean[2, 1]
    hidden[:, :468][:, low, :2] += 0.05
    fit = PoseFit(model)
    clean = fit.fit(points, model.mean, CAMERA)
    disturbed = fit.fit(hidden, model.mean, CAMERA)
    turned = disturbed.rotation.astype(float) @ clean.rotation.astype(float).transpose(0, 2, 1)
    # A firmer hold on the head would take a wide open mouth for a hand, too.
    assert np.abs(np.degrees(rotation_vector(turned))).max() < 8


def test_points_that_are_not_there_take_no_part(model):
    rotation, place = poses(4, seed=4)
    points = synthetic_landmarks(np.tile(model.mean[:468], (4, 1, 1)), rotation, place, CAMERA)
    few = points.copy()
    few[:, 1:468:2] = np.nan
    few[..., 2] = np.nan
    fit = PoseFit(model)
    start = fit.fit(points, model.mean, CAMERA, steps=1)
    got = fit.fit(few, model.mean, CAMERA, start)
    assert np.abs(turned_by(got.rotation, rotation)).max() < 0.5


@pytest.fixture(scope="module")
def ict(models: Path) -> IctFace:
    return IctFace.load(models)


def test_ict_heads_of_known_pose(model, ict):
    """People and expressions that are not our model's: within a degree but for what is constant,
    the two meshes' different notion of straight ahead."""
    place_of = correspond(ict, model)
    fit = PoseFit(model)
    for person in range(2):
        rng = np.random.default_rng(10 + person)
        identity = 0.6 * rng.normal(size=100)
        rotation, place = poses(14, seed=person)
        speech = [
            {"jawOpen": rng.uniform(0, 0.6), "mouthSmile_L": a, "mouthSmile_R": a,
             "browInnerUp_L": b, "browInnerUp_R": b, "eyeBlink_L": c, "eyeBlink_R": c}
            for a, b, c in rng.uniform(0, 0.7, (14, 3))
        ]  # fmt: skip
        heads = np.stack([place_of.points(ict.vertices(identity, e)) for e in speech])
        points = synthetic_landmarks(heads, rotation, place, CAMERA)
        found, camera = fit.identify(points, CAMERA)
        got = fit.fit_all(points, model.neutral(found), camera)
        off = turned_by(got.rotation, rotation)
        assert np.abs(off.mean(axis=0)).max() < 3.0
        assert off.std(axis=0).max() < 1.0
        assert got.error.max() * 256 < 3.5
        ratio = got.translation[:, 2] / place[:, 2]
        assert ratio.std() / ratio.mean() < 0.02


@pytest.mark.parametrize(("wide", "share"), [(0.4, 0.8), (0.8, 0.6)])
def test_ict_expressions_are_told_apart(model, ict, wide, share):
    """The fitted mouth opens with the true one, by 13 mm in speech and 25 mm in a yawn, through a
    basis that is not ICT's."""
    place_of = correspond(ict, model)
    fit = PoseFit(model)
    neutral = np.zeros(100)
    amounts = np.linspace(0, wide, 6)
    heads = np.stack([place_of.points(ict.vertices(neutral, {"jawOpen": a})) for a in amounts])
    rotation, place = np.zeros((6, 3)), np.tile([0, 0, -0.7], (6, 1))
    rotation[:, 1] = np.radians(np.linspace(-15, 15, 6))
    points = synthetic_landmarks(heads, rotation, place, CAMERA)
    found, camera = fit.identify(points, CAMERA)
    got = fit.fit_all(points, model.neutral(found), camera)
    shape = model.vertices(np.tile(found, (6, 1)), got.expression)
    gap = shape[:, 13, 1] - shape[:, 14, 1]  # inner lips
    true = heads[:, 13, 1] - heads[:, 14, 1]
    assert np.corrcoef(gap, true)[0, 1] > 0.98
    assert share * np.ptp(true) < np.ptp(gap) < 1.2 * np.ptp(true)


def test_focal_length_of_ict_heads(model, ict):
    place_of = correspond(ict, model)
    fit = PoseFit(model)
    head = place_of.points(ict.neutral)
    found = []
    for focal in (1.4, 3.0):
        rotation, place = poses(16, seed=7)
        place[:, 2] *= focal / 2.5
        points = synthetic_landmarks(np.tile(head, (16, 1, 1)), rotation, place, Pinhole(focal))
        found.append(fit.identify(points)[1].focal)
    assert found[0] < found[1]
    assert 1.0 < found[0] < 2.2 and 2.0 < found[1] < 4.2
