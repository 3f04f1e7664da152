"""Where mouth and eyes are, and that they are looked at oftener."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from avatar.camera import Pinhole, rotation_matrix
from avatar.face import StateLayout
from avatar.features import LEFT_EYE, LIPS, RIGHT_EYE
from avatar.morphable import FaceModel
from service.features import Features
from service.looks import Looks

CAMERA, LAYOUT = Pinhole(2.0, (0.45, 0.55)), StateLayout()


@pytest.fixture(scope="module")
def neutral():
    model = FaceModel.load()
    return model.neutral(np.zeros(model.identities, np.float32))


@pytest.fixture
def values():
    """A head from the front, one turned and lifted, one beyond the window's left edge."""
    values = np.zeros((3, LAYOUT.width), np.float32)
    values[:, LAYOUT.groups["translation"]] = [[0, 0, -0.8], [0.05, 0.04, -0.9], [-0.6, 0, -0.8]]
    values[1, LAYOUT.groups["rotation"]] = [0.1, 0.4, -0.2]
    return values


def test_boxes_hold_their_features_and_no_other(neutral, values):
    places = tuple(neutral[list(chosen)] for chosen in (LIPS, RIGHT_EYE, LEFT_EYE))
    boxes = Features(places, CAMERA, LAYOUT).boxes(values)
    turn = rotation_matrix(values[:, LAYOUT.groups["rotation"]].astype(np.float64))
    head = neutral @ np.swapaxes(turn, 1, 2) + values[:, None, LAYOUT.groups["translation"]]
    seen = CAMERA.project(head)
    for k, chosen in enumerate((LIPS, RIGHT_EYE, LEFT_EYE)):
        least, most = boxes[:, k, None, :2], boxes[:, k, None, 2:]
        inside = ((seen > least) & (seen < most)).all(axis=2)
        assert inside[:, list(chosen)].all()
        others = set(LIPS + RIGHT_EYE + LEFT_EYE) - set(chosen)
        assert not inside[:, sorted(others)].any()
        assert inside.mean() < 0.35  # of the face's landmarks
    assert (boxes[2] < 0).any()


def test_places_are_looked_at_so_many_times_as_often():
    images = np.full((2, 64, 64, 3), 128, np.uint8)
    masks = np.full((2, 16, 16), 255, np.uint8)
    boxes = np.array([[[0.25, 0.25, 0.5, 0.5]], [[-0.5, 0.5, 0.25, 2.0]]])  # one is cut off
    looks = Looks(images, masks, torch.Generator().manual_seed(0), boxes, (8.0,))
    points, _ = looks.rays(np.arange(2), 1000)
    for frame, (left, top, right, bottom) in zip(points.numpy(), boxes[:, 0], strict=True):
        inside = (frame >= [left, top]) & (frame < [right, bottom])
        area = (min(right, 1) - max(left, 0)) * (min(bottom, 1) - max(top, 0))
        expected = 8 * area / (8 * area + 1 - area)
        assert inside.all(axis=1).mean() == pytest.approx(expected, abs=0.02)
