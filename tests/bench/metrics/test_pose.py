"""Metrics of what the face does, on tracks made up so that their figures are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from avatar.camera import Pinhole
from avatar.face import FaceTrack, Window
from avatar.morphable import FaceModel
from bench.measure import measure
from bench.metrics import identity, pose
from bench.metrics import seam as seams
from bench.metrics.registry import metric
from bench.metrics.tracked import Tracked

FRAMES = np.zeros((10, 32, 32, 3), np.uint8)


def track(**columns: Any) -> FaceTrack:
    frames = len(FRAMES)
    base: dict[str, Any] = {
        "time": np.arange(frames, dtype=np.int64) * 40_000,
        "expression": np.zeros((frames, 79), np.float32),
        "rotation": np.zeros((frames, 3), np.float32),
        "translation": np.tile(np.float32([0, 0, -0.6]), (frames, 1)),
        "gaze": np.zeros((frames, 4), np.float32),
        "lids": np.ones((frames, 2), np.float32),
        "torso": np.zeros((frames, 4), np.float32),
        "confidence": np.ones(frames, np.float32),
        "box": np.tile(np.float32([0.3, 0.2, 0.7, 0.8]), (frames, 1)),
        "mask": np.zeros((frames, 64, 64), np.uint8),
    }
    people = FaceModel.load().identities
    more = {"identity": np.zeros(people, np.float32), "camera": Pinhole(1.6)}
    return FaceTrack(**(base | columns), **more, window=Window(0, 0, 32, 32, 32))


def seen(monkeypatch: pytest.MonkeyPatch, mine: Tracked, theirs: Tracked) -> None:
    for module in (pose, identity, seams):
        monkeypatch.setattr(module, "tracked", lambda a, b: (mine, theirs))


POINTS = np.random.default_rng(3).random((10, 478, 2)) * 200


def test_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = POINTS + [3.0, 4.0]
    moved[4] += [0.5, 0.0]  # one frame jumps
    moved[7] = np.nan  # and one has no face
    seen(monkeypatch, Tracked(POINTS, track()), Tracked(moved, track()))
    distance = pose.akd(FRAMES, FRAMES)
    assert distance[0] == pytest.approx(5.0) and np.isnan(distance[7])
    shake = pose.jitter(FRAMES, FRAMES)
    np.testing.assert_allclose(shake[[1, 2, 3, 4, 5]], [0, 0, 0.5, 1.0, 0.5], atol=1e-9)
    assert np.isnan(shake[[0, 6, 7, 8, 9]]).all()
    excess = pose.acceleration(FRAMES, FRAMES)
    assert excess[1] == pytest.approx(0.0, abs=1e-9) and np.isnan(excess[[0, 6, 7, 8, 9]]).all()
    assert pose.lost(FRAMES, FRAMES).tolist() == [0] * 7 + [1, 0, 0]


def test_a_step_below_the_chin_is_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.full((10, 478, 2), 128.0)
    points[:, 10], points[:, 152] = [128, 20], [128, 120]  # a face 100 pixels high
    for i, index in enumerate(seams._JAW):
        points[:, index] = [78 + 100 * i / 14, 120]  # and a jaw as straight as a rule
    seen(monkeypatch, Tracked(points, track()), Tracked(points, track()))
    filmed = np.full((10, 256, 256, 3), 100, np.uint8)
    filmed[:, 150:] = 120  # a collar, 30 pixels below the jaw
    shown = filmed.copy()
    shown[:, 135:] += np.uint8(24)  # and a border 15 pixels below it
    np.testing.assert_allclose(seams.seam(filmed, shown), 24)
    assert seams.seam(filmed, filmed).tolist() == [0] * 10
    soft = filmed.copy()
    soft[:, 140:160] = 110  # a softer collar is no seam, nor is one that was filmed
    np.testing.assert_allclose(seams.seam(filmed, soft)[0], 10)
    points[3] = np.nan
    assert np.isnan(seams.seam(filmed, shown)[3])
    across = filmed.copy()
    across[:, :, ::2] += np.uint8(50)  # what does not run along with the jaw does not count
    assert seams.seam(filmed, across)[0] < 5


def test_head_pose_is_the_angle_between(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = np.zeros((10, 3), np.float32)
    turned[:, 1] = np.radians(np.arange(10))
    seen(monkeypatch, Tracked(POINTS, track()), Tracked(POINTS, track(rotation=turned)))
    np.testing.assert_allclose(pose.pose_angle(FRAMES, FRAMES), np.arange(10), atol=1e-2)
    one = replace(metric("PRMSE"), missing=lambda: "")
    (found,) = measure(FRAMES, FRAMES, {}, [one])
    assert found.mean == pytest.approx(np.sqrt(np.mean(np.arange(10.0) ** 2)), abs=1e-2)


def test_expression_states(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = np.zeros((10, 79), np.float32), np.zeros((10, 79), np.float32)
    mine[:, :4] = [1.2, -1.2, 0.4, 2.0]
    theirs[:, :4] = [3.0, 1.2, -0.4, 0.9]  # same, opposite, same, fallen to rest
    seen(
        monkeypatch,
        Tracked(POINTS, track(expression=mine)),
        Tracked(POINTS, track(expression=theirs)),
    )
    np.testing.assert_allclose(pose.expression_agreement(FRAMES, FRAMES), 77 / 79)


def test_a_picture_without_a_face_is_counted_and_judged_by_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = Tracked(np.full_like(POINTS, np.nan), None)
    seen(monkeypatch, Tracked(POINTS, track()), nobody)
    assert pose.lost(FRAMES, FRAMES).tolist() == [1] * 10
    for figures in (pose.akd, pose.pose_angle, pose.expression_agreement, pose.jitter):
        assert np.isnan(figures(FRAMES, FRAMES)).all()


def test_identity_is_the_cosine_of_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Describer:
        def describe(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
            angle = np.radians(60.0 if image.mean() else 0.0)
            return np.concatenate([[np.cos(angle), np.sin(angle)], np.zeros(126)])

    monkeypatch.setattr(identity, "_describer", lambda: Describer())
    half = POINTS.copy()
    half[5] = np.nan
    seen(monkeypatch, Tracked(POINTS, track()), Tracked(half, track()))
    cosine = identity.csim(FRAMES, FRAMES + np.uint8(9))
    assert cosine[0] == pytest.approx(0.5) and np.isnan(cosine[1:]).all()
    assert identity.aed(FRAMES, FRAMES + np.uint8(9))[0] == pytest.approx(1.0)
    assert identity.csim(FRAMES, FRAMES)[0] == pytest.approx(1.0)


def test_a_picture_that_shakes_more_than_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    still = np.repeat(POINTS[:1], 10, axis=0)
    shaking = still + 0.5 * (-1.0) ** np.arange(10)[:, None, None] * [1.0, 0.0]
    seen(monkeypatch, Tracked(still, track()), Tracked(shaking, track()))
    np.testing.assert_allclose(pose.acceleration(FRAMES, FRAMES)[1:-1], 2.0)  # 0.5, -1, 0.5
    seen(monkeypatch, Tracked(shaking, track()), Tracked(still, track()))
    np.testing.assert_allclose(pose.acceleration(FRAMES, FRAMES)[1:-1], -2.0)
