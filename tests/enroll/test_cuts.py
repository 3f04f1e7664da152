"""Jumps of a video are told from motion, and nothing of before them is carried over."""

from __future__ import annotations

import numpy as np
import pytest

from enroll.cuts import CutWatch


def disc(x: float, ground: float = 60.0) -> np.ndarray:
    """A bright disc at column x of a grey 64x64 picture."""
    column, row = np.meshgrid(np.arange(64), np.arange(64))
    near = np.clip(14.5 - np.hypot(column - x, row - 32), 0, 1)
    return np.round(ground + 130 * near).astype(np.uint8)


def cuts(places: list[float]) -> list[int]:
    watch = CutWatch()
    return [k for k, x in enumerate(places) if watch.step(disc(x))]


def test_a_jump_is_a_cut_and_motion_is_none():
    slow = [20 + 0.3 * k for k in range(20)]
    assert cuts(slow) == []
    assert cuts([*slow, *(x + 16 for x in slow)]) == [20]


def test_motion_that_speeds_up_is_none():
    assert cuts([20 + 0.02 * k**2 for k in range(30)]) == []


def test_the_first_picture_is_none_and_a_light_switched_on_is_one():
    watch = CutWatch()
    seen = [watch.step(disc(20, 60.0 if k < 5 else 100.0)) for k in range(8)]
    assert np.nonzero(seen)[0].tolist() == [5]


@pytest.mark.parametrize("live", [False, True])
def test_the_face_after_a_cut_is_where_it_is_at_once(make_video, live):
    """MediaPipe looks where the face was: without a word it needs some frames to find it again."""
    pytest.importorskip("mediapipe")
    cv2 = pytest.importorskip("cv2")
    data = pytest.importorskip("skimage.data")
    from enroll.capture import open_video
    from enroll.track import CausalTracker, track_video

    face = cv2.resize(data.astronaut()[0:220, 110:330], (200, 200))

    def scene(left: int, top: int, degrees: float) -> np.ndarray:
        turn = cv2.getRotationMatrix2D((100, 100), degrees, 1.0)
        turn[:, 2] += (left, top)
        return cv2.warpAffine(face, turn, (400, 256), borderValue=(90, 90, 90))

    before, after = scene(0, 10, -12), scene(150, 50, 18)
    video = open_video(make_video([before] * 10 + [after] * 10))
    if live:
        tracker = CausalTracker()
        rows = [tracker.step(frame).row for frame in video]
        tracker.close()
        roll = np.array([row.rotation[0, 2] for row in rows])
        box = np.array([row.box[0] for row in rows])
    else:
        track = track_video(video)
        roll, box = track.rotation[:, 2], track.box
    assert np.ptp(roll[10:]) < 0.01 and np.ptp(roll[:10]) < 0.01
    assert abs(roll[10] - roll[9]) == pytest.approx(np.radians(30), abs=0.1)
    assert np.ptp(box[10:], axis=0).max() < 0.01
