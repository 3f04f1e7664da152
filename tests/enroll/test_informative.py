"""Frames that teach most, of tracks whose course is known."""

from __future__ import annotations

import numpy as np

from avatar.camera import Pinhole
from avatar.face import FaceTrack, Window
from avatar.morphable import FaceModel
from enroll.informative import informative

FRAMES = 300


def track(yaw: np.ndarray, mouth: np.ndarray, seen: np.ndarray | None = None) -> FaceTrack:
    zeros = np.zeros((len(yaw), 79), np.float32)
    rotation, expression = zeros[:, :3].copy(), zeros.copy()
    rotation[:, 1], expression[:, 3] = yaw, mouth
    shown = np.ones(len(yaw)) if seen is None else seen
    return FaceTrack(
        time=np.arange(len(yaw)) * 40_000,
        expression=expression, rotation=rotation, translation=zeros[:, :3], gaze=zeros[:, :4],
        lids=zeros[:, :2], torso=zeros[:, :4], box=zeros[:, :4],
        confidence=shown.astype(np.float32), mask=np.zeros((len(yaw), 64, 64), np.uint8),
        identity=np.zeros(FaceModel.load().identities, np.float32),
        camera=Pinhole(1.2), window=Window(0.0, 0.0, 16.0, 16, 16),
    )  # fmt: skip


def still_but(turn: slice, word: slice) -> FaceTrack:
    """Nearly all of it a face at rest; a turn of the head, and a word."""
    rng = np.random.default_rng(0)
    yaw, mouth = 0.01 * rng.normal(size=(2, FRAMES))
    yaw[turn] += np.linspace(0.1, 0.6, turn.stop - turn.start)
    mouth[word] += 1.0
    return track(yaw, mouth)


def test_what_is_rare_is_taken_before_more_of_the_usual():
    turn, word = slice(100, 110), slice(200, 205)
    taken = informative(still_but(turn, word), 20)
    assert len(taken) == 20 and np.all(np.diff(taken) > 0)
    inside = (taken >= turn.start) & (taken < turn.stop)
    assert inside.sum() >= 4 and np.any((taken >= word.start) & (taken < word.stop))
    evenly = np.linspace(0, FRAMES - 1, 20).round()
    assert ((evenly >= turn.start) & (evenly < turn.stop)).sum() <= 1


def test_the_first_is_the_most_usual_one():
    (only,) = informative(still_but(slice(100, 110), slice(200, 205)), 1)
    assert not 100 <= only < 110 and not 200 <= only < 205


def test_frames_without_a_face_teach_nothing():
    seen = np.arange(FRAMES) % 3 > 0
    taken = informative(track(np.linspace(-1, 1, FRAMES), np.zeros(FRAMES), seen), 50)
    assert seen[taken].all()
    few = informative(track(np.zeros(FRAMES), np.zeros(FRAMES), np.arange(FRAMES) < 7), 50)
    assert np.array_equal(few, np.arange(7))


def test_a_person_who_never_moves_is_no_trouble():
    assert len(informative(track(np.zeros(FRAMES), np.zeros(FRAMES)), 10)) == 10
