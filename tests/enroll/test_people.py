"""Who is followed: the largest steady face, through moments in which it is not there."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mediapipe")
pytest.importorskip("skimage")

import cv2

from enroll.capture import open_video
from enroll.track import track_video
from service.tracking import track_file


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """The face of scikit-image's astronaut, [256, 256, 3]."""
    from skimage import data

    return cv2.resize(data.astronaut()[0:220, 110:330], (256, 256), interpolation=cv2.INTER_CUBIC)


def scene(face: np.ndarray, *places: tuple[int, int, int]) -> np.ndarray:
    """Faces on grey, each at (left, top, side)."""
    picture = np.full((256, 448, 3), 90, np.uint8)
    for left, top, side in places:
        picture[top : top + side, left : left + side] = cv2.resize(face, (side, side))
    return picture


def test_of_two_faces_the_larger_is_followed_and_that_is_said(make_video, face):
    pictures = [scene(face, (10 + k, 20, 200), (290, 60, 130)) for k in range(12)]
    track, warnings = track_file(make_video(pictures))
    left, _, right, _ = (track.box * track.window.side + track.window.left).T[:4]
    assert np.all(track.confidence > 0) and np.all(0.5 * (left + right) < 250)
    assert any("more than one face" in said for said in warnings)


def test_a_large_face_passing_by_is_not_followed(make_video, face):
    pictures = [scene(face, (20, 60, 150)) for _ in range(30)]
    for k in (13, 14, 15):
        pictures[k] = scene(face, (20, 60, 150), (220, 10, 220))
    track = track_video(open_video(make_video(pictures)))
    left, _, right, _ = (track.box * track.window.side + track.window.left).T[:4]
    assert np.all(0.5 * (left + right) < 200)


def test_a_face_lost_for_a_while_is_marked_and_nothing_dropped(make_video, face):
    pictures = [scene(face, (100 + (k % 5), 20, 220)) for k in range(30)]
    for k in range(10, 20):
        pictures[k] = scene(face)
    track, warnings = track_file(make_video(pictures))
    assert len(track) == 30
    assert not track.confidence[11:19].any()
    assert track.confidence[:9].all() and track.confidence[22:].all()
    assert any("face is lost" in said for said in warnings)
