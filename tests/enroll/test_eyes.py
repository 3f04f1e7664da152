"""Gaze and lids of heads whose eyes were moved by a known amount."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.camera import Pinhole, rotation_matrix
from avatar.morphable import LEFT_IRIS, RIGHT_IRIS, FaceModel
from enroll.eyes import CORNERS, LIDS, gaze_and_lids

CAMERA = Pinhole(2.4)
TURNS = np.radians([[0, 0, 0], [0, 25, 0], [15, -20, 5], [-12, 10, -15]])
PLACE = np.array([[0.02, -0.01, -0.75]])


def seen(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rotation = rotation_matrix(TURNS)
    posed = shape @ rotation.transpose(0, 2, 1) + PLACE
    points = np.zeros((len(TURNS), 478, 3))
    points[..., :2] = CAMERA.project(posed)
    return points, rotation, np.repeat(PLACE, len(TURNS), axis=0)


@pytest.fixture(scope="module")
def neutral():
    return FaceModel.load().mean.astype(float)


def test_the_eyes_of_a_turned_head_look_where_they_look(neutral):
    shape = neutral.copy()
    width = np.linalg.norm(shape[33] - shape[133])
    shape[RIGHT_IRIS] += [0.1 * width, 0.05 * width, 0]
    shape[LEFT_IRIS] += [0.1 * width, 0.05 * width, 0]
    rest, _ = gaze_and_lids(*seen(neutral)[:1], neutral, *seen(neutral)[1:], CAMERA)
    gaze, _ = gaze_and_lids(*seen(shape)[:1], neutral, *seen(shape)[1:], CAMERA)
    moved = gaze - rest
    np.testing.assert_allclose(moved, np.tile([0.1, 0.05, 0.1, 0.05], (4, 1)), atol=0.006)
    np.testing.assert_allclose(rest, np.tile(rest[0], (4, 1)), atol=0.02)


def test_lids_are_one_at_rest_and_follow_the_opening(neutral):
    points, rotation, place = seen(neutral)
    _, lids = gaze_and_lids(points, neutral, rotation, place, CAMERA)
    np.testing.assert_allclose(lids, 1.0, atol=0.04)
    shut = neutral.copy()
    for upper, lower in LIDS[0]:  # the subject's right eye
        shut[upper, 1] = shut[lower, 1] + 0.2 * (neutral[upper, 1] - neutral[lower, 1])
    points, rotation, place = seen(shut)
    _, lids = gaze_and_lids(points, neutral, rotation, place, CAMERA)
    np.testing.assert_allclose(lids[:, 0], 0.2, atol=0.05)
    np.testing.assert_allclose(lids[:, 1], 1.0, atol=0.04)


def test_the_right_eye_is_the_subjects(neutral):
    outer, inner = CORNERS[0]
    assert neutral[outer, 0] < neutral[inner, 0] < 0
