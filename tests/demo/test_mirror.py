"""The mirror stops where somebody else is before the camera."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("mediapipe")

from avatar.errors import InputError
from enroll.capture import open_video
from enroll.identity import can_describe
from service.glass import Glass
from service.jpeg import read_jpeg, write_jpeg
from service.mirror import Mirror, MirrorSettings
from tests.demo.badge import has_badge


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


def test_what_people_see_of_the_mirror_says_that_it_is_rendered(fitted, clip, tmp_path):
    from service.mirror import mirror
    from service.watermark.video import read_watermark

    settings = MirrorSettings(size=128)
    for name in ("seen.mp4", "seen.mkv"):
        mirror(fitted, str(clip), tmp_path / name, settings)
        video = open_video(tmp_path / name)
        picture = next(iter(video)).image
        video.close()
        assert has_badge(picture, 128) == (name == "seen.mp4") and not has_badge(picture)
        found = read_watermark(tmp_path / name).prefix
        assert found == (fitted.digest[:8] if name == "seen.mp4" else None)


def test_without_a_sign_nobody_looks(fitted, clip):
    glass = Mirror(fitted, MirrorSettings(size=64))
    video = open_video(clip)
    try:
        assert glass.step(next(iter(video))).owner is None
    finally:
        glass.close()
        video.close()


@pytest.fixture
def pictures(clip):
    """What a page sends: a few JPEGs."""
    video = open_video(clip)
    try:
        return [write_jpeg(frame.image) for frame, _ in zip(video, range(3), strict=False)]
    finally:
        video.close()


def test_a_page_shows_the_avatar_and_says_why_a_turned_phone_ends_it(fitted, pictures):
    glass = Glass(fitted, 64, "cpu", None)
    for picture in pictures:
        said, shown = glass.step(picture)
        assert said["visible"] and said["owner"] is None
        image = read_jpeg(shown)
        assert image.shape == (64, 64, 3) and np.ptp(image.astype(int)) > 40
    assert said["kbps"] > 0
    tall = read_jpeg(pictures[0])[:, :-32]
    with pytest.raises(InputError, match="change their size") as refused:
        glass.step(write_jpeg(tall))
    assert "Open the mirror again" in refused.value.cure
    with pytest.raises(InputError, match="no picture"):
        glass.step(pictures[0][:100])


def test_a_page_shows_a_stranger_no_avatar(fitted, pictures):
    if not can_describe():
        pytest.skip("no MobileFaceNet here: FACEWIRE_MODELS names a folder with it")
    other = np.zeros(128, np.float32)
    other[0] = 1.0  # nobody's face
    glass = Glass(fitted, 64, "cpu", other)
    said, shown = glass.step(pictures[0])
    assert said["owner"] is False
    assert np.ptp(read_jpeg(shown)[:40].astype(int)) < 12  # grey, above the badge
