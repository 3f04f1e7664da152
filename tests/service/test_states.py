"""What is sent of a track."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from avatar.avatar import Avatar
from avatar.camera import Pinhole
from avatar.face import EXPRESSIONS, FaceTrack
from avatar.habit import Habit
from service.states import states_of
from tests.service.small_person import LAYOUT, WINDOW, avatar_of, small_person

CODE = LAYOUT.groups["code"]
FRAMES = 6


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """Its code is the first thirty expressions, as they are."""
    known = avatar_of(small_person())
    width, codes = 4, CODE.stop
    embedding = {
        "scale": np.zeros((EXPRESSIONS, width)), "place": np.zeros((EXPRESSIONS, width)),
        "keys": np.zeros((width, width)), "values": np.zeros((width, width)),
        "queries": np.zeros((codes, width)), "out": np.zeros((codes, width)),
        "linear": np.eye(codes, EXPRESSIONS), "bias": np.zeros(codes),
    }  # fmt: skip
    named = {f"embedding.{k}": v.astype(np.float32) for k, v in embedding.items()}
    return replace(known, tensors={**known.tensors, **named})


@pytest.fixture
def track(avatar) -> FaceTrack:
    def rows(width: int) -> np.ndarray:
        return np.zeros((FRAMES, width), np.float32)

    expression = rows(EXPRESSIONS)
    expression[:, 0] = np.linspace(0, 0.5, FRAMES)
    expression[:, 1] = 4.0
    return FaceTrack(
        np.arange(FRAMES) * 40_000, expression, rows(3), rows(3) - [0, 0, 0.9], rows(4),
        rows(2) + 1, rows(4), np.ones(FRAMES, np.float32), rows(4),
        np.zeros((FRAMES, 64, 64), np.uint8), np.zeros(1, np.float32), avatar.camera, WINDOW,
    )  # fmt: skip


def test_an_expression_goes_no_farther_than_the_enrolments_did(avatar, track) -> None:
    free = states_of(track, avatar)
    np.testing.assert_allclose(free.values[:, CODE], track.expression[:, : CODE.stop])
    enrolled = np.random.default_rng(0).normal(size=(500, CODE.stop)) * 0.3
    enrolled[:, 1] *= 0.1
    habit = Habit.of(enrolled)
    tensors = {"tracker.habit.centre": habit.centre, "tracker.habit.ends": habit.ends}
    held = states_of(track, replace(avatar, tensors={**avatar.tensors, **tensors}))
    np.testing.assert_allclose(held.values[:, CODE], habit.within(free.values[:, CODE]))
    assert np.abs(held.values[:, 1]).max() < 0.2  # of 4.0, where the enrolment had 0.03
    np.testing.assert_array_equal(held.values[:, CODE.stop :], free.values[:, CODE.stop :])
    assert held.visible.all()


def test_another_camera_shows_the_head_where_and_as_large_as_it_was_filmed(avatar, track):
    place = np.random.default_rng(0).normal([0.05, -0.03, -0.7], 0.05, (FRAMES, 3))
    filmed = Pinhole(0.6 * avatar.camera.focal, (0.48, 0.53))
    other = replace(track, translation=place.astype(np.float32), camera=filmed)
    seen = states_of(other, avatar).values[:, LAYOUT.groups["translation"]].astype(float)
    for edge in (0.0, 0.1):  # of the head: its middle, and ten centimetres above it
        above = np.array([0.0, edge, 0.0])
        there = filmed.project(place + above)
        np.testing.assert_allclose(avatar.camera.project(seen + above), there, atol=2e-3)
