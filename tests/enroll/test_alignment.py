"""The second source of landmarks, with a network that says what the test says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avatar.camera import Pinhole, rotation_matrix, rotation_vector
from avatar.errors import MissingError
from avatar.morphable import FaceModel
from enroll.alignment import FIRST, VERTICES, AlignmentLandmarks
from enroll.eyes import gaze_and_lids
from enroll.ict import synthetic_landmarks
from enroll.pose_fit import PoseFit

CAMERA = Pinhole(2.5)
IMAGE = np.zeros((512, 512, 3), np.uint8)


class Network:
    """Answers with the faces it was given, [K, 68, 2] pixels, one answer after another."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)

    def get_landmarks_from_image(self, image: np.ndarray) -> object:
        return self._answers.pop(0)


def sixty_eight(points: np.ndarray) -> np.ndarray:
    """Of mesh landmarks [478, 3] in the window, as the network would put them on 512 pixels."""
    seen = np.zeros((68, 2))
    seen[FIRST:] = points[list(VERTICES), :2] * 512 - 0.5
    seen[:FIRST] = seen[FIRST:].mean(0)
    return seen


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return FaceModel.load()


def test_the_vertices_are_those_of_a_symmetric_face(model):
    parts = (  # each from the subject's right to the left: the mirror of one end is the other
        range(17, 27),
        range(31, 36),
        (36, 37, 38, 39, 42, 43, 44, 45),
        (41, 40, 47, 46),
        range(48, 55),
        range(59, 54, -1),
        range(60, 65),
        (67, 66, 65),
        *((mark,) for mark in range(27, 31)),
    )
    assert sorted(mark for part in parts for mark in part) == list(range(FIRST, 68))
    for part in parts:
        for mark, other in zip(part, reversed(part)):
            assert model.mirror[VERTICES[mark - FIRST]] == VERTICES[other - FIRST], mark


def test_a_head_is_found_from_51_points(model):
    """The pose within half a degree, from points without depth."""
    rng = np.random.default_rng(3)
    rotation = np.radians(rng.uniform([-12, -25, -10], [12, 25, 10], (8, 3)))
    place = np.c_[rng.uniform(-0.05, 0.05, (8, 2)), -rng.uniform(0.6, 0.8, 8)]
    whole = synthetic_landmarks(np.tile(model.mean[:468], (8, 1, 1)), rotation, place, CAMERA)
    source = AlignmentLandmarks(Network(*([sixty_eight(p)] for p in whole)))
    points = np.stack([source.find(IMAGE).points for _ in whole]) / 512
    assert np.isfinite(points[..., 0]).sum(axis=1).tolist() == [51] * 8
    got = PoseFit(model).fit(points, model.mean, CAMERA)
    between = got.rotation.astype(float) @ rotation_matrix(rotation).transpose(0, 2, 1)
    assert np.abs(np.degrees(rotation_vector(between))).max() < 0.5
    np.testing.assert_allclose(got.translation, place, atol=0.03)
    gaze, lids = gaze_and_lids(points, model.mean, got.rotation, got.translation, CAMERA)
    assert not gaze.any() and np.all(np.abs(lids - 1) < 0.35)


def test_it_stays_with_the_face_it_follows():
    small, large = np.full((68, 2), 100.0), np.full((68, 2), 300.0)
    small[::2] += 20
    large[::2] += 90
    source = AlignmentLandmarks(Network([large], [small, large], None, [small]))
    assert np.nanmin(source.find(IMAGE).points) > 290
    assert np.nanmin(source.find(IMAGE).points) > 290
    assert source.find(IMAGE) is None
    assert np.nanmax(source.find(IMAGE).points) < 130


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("FACEWIRE_MODELS", raising=False)
    with pytest.raises(MissingError, match="s3fd-619a316812.pth"):
        AlignmentLandmarks(folder=tmp_path)
