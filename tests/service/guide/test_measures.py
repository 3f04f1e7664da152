"""Numbers of a face that was made from known ones; advice on pictures of known light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar.camera import Pinhole
from avatar.face import FaceTrack, Window
from avatar.morphable import FaceModel
from service.guide.advice import advise, mesh_points
from service.guide.measures import measures_of


def track(**more):
    """One frame: a frontal head at rest in the middle of a picture of 640x480."""
    people = FaceModel.load().identities
    values = {
        "time": np.array([0], np.int64),
        "expression": np.zeros((1, 79), np.float32),
        "rotation": np.zeros((1, 3), np.float32),
        "translation": np.array([[0, 0, -0.6]], np.float32),
        "gaze": np.zeros((1, 4), np.float32),
        "lids": np.ones((1, 2), np.float32),
        "torso": np.zeros((1, 4), np.float32),
        "confidence": np.ones(1, np.float32),
        "box": np.array([[0.3, 0.3, 0.7, 0.7]], np.float32),
        "mask": np.zeros((1, 64, 64), np.uint8),
    }
    row = FaceTrack(
        **values,
        identity=np.zeros(people, np.float32),
        camera=Pinhole(1.2),
        window=Window(80.0, 0.0, 480.0, 640, 480),
    )
    return replace(row, **more)


@pytest.mark.parametrize(("degrees", "axis"), [(25.0, "yaw"), (-25.0, "yaw")])
def test_turns_are_read_in_degrees(degrees, axis):
    turned = np.array([[0, np.radians(degrees), 0]], np.float32)
    seen = measures_of(track(rotation=turned))
    assert seen.yaw[0] == pytest.approx(degrees, abs=0.1) and abs(seen.pitch[0]) < 0.1


def test_a_lifted_chin_is_up():
    lifted = np.array([[-np.radians(15), 0, 0]], np.float32)  # x to the right, y up: nods negative
    assert measures_of(track(rotation=lifted)).pitch[0] == pytest.approx(15.0, abs=0.1)


def test_what_is_not_seen_is_no_number():
    seen = measures_of(track(confidence=np.zeros(1, np.float32)))
    assert np.isnan(seen.yaw[0]) and np.isnan(seen.lids[0])


def test_the_mesh_lies_in_the_picture_where_the_head_is():
    points = mesh_points(track())
    assert points.shape == (468, 2)
    assert points.mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.1)
    moved = mesh_points(track(translation=np.array([[0.06, 0, -0.6]], np.float32)))
    depth = 0.6 - FaceModel.load().mean[:468, 2]  # the skin is nearer than the head's middle
    shift = (0.06 / depth * 1.2 * 480 / 640).mean()
    assert (moved - points)[:, 0].mean() == pytest.approx(shift, rel=0.01)


@pytest.mark.parametrize(
    ("light", "depth", "words"),
    [(130, -0.6, ""), (20, -0.6, "dark"), (250, -0.6, "bright"), (130, -2.5, "closer"),
     (130, -0.22, "back")],
)  # fmt: skip
def test_advice_names_what_is_wrong(light, depth, words):
    row = track(translation=np.array([[0, 0, depth]], np.float32))
    image = np.full((480, 640, 3), light, np.uint8)
    said = advise(image, row, mesh_points(row))
    assert words in said.words if words else said.words == "", said


def test_light_from_one_side_is_named():
    image = np.full((480, 640, 3), 90, np.uint8)
    image[:, 320:] = 200
    row = track()
    assert "one side" in advise(image, row, mesh_points(row)).words
    unseen = track(confidence=np.zeros(1, np.float32))
    assert not advise(image, unseen, mesh_points(unseen)).seen
