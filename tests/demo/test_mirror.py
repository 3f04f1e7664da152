"""The mirror stops where somebody else is before the camera."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("mediapipe")

from enroll.capture import open_video
from service.mirror import Mirror, MirrorSettings


class Watch:
    """Sees its owner until a frame, and then somebody else for a while."""

    def __init__(self):
        self.seen = []

    def step(self, now, image, points):
        self.seen.append((now, image.shape, points is not None))
        return not 4 <= len(self.seen) <= 6


def test_the_avatar_stands_still_for_somebody_else_and_goes_on_for_its_owner(fitted, clip):
    watch = Watch()
    glass = Mirror(fitted, MirrorSettings(size=64), watch)
    video = open_video(clip)
    try:
        shown = [glass.step(frame) for frame, _ in zip(video, range(8), strict=False)]
    finally:
        glass.close()
        video.close()
    assert [one.owner for one in shown] == [True] * 3 + [False] * 3 + [True] * 2
    for one in shown[3:6]:
        assert (one.shown == one.shown[0, 0]).all() and one.shown.shape == (64, 64, 3)
        assert np.ptp(one.filmed.astype(int)) > 40  # what is filmed stays visible to who is filmed
    assert np.ptp(shown[-1].shown.astype(int)) > 40
    assert all(face for _, _, face in watch.seen)


def test_without_a_sign_nobody_looks(fitted, clip):
    glass = Mirror(fitted, MirrorSettings(size=64))
    video = open_video(clip)
    try:
        assert glass.step(next(iter(video))).owner is None
    finally:
        glass.close()
        video.close()
