"""Whether the one before the camera is the enrolled one."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.errors import FormatError
from enroll.identity import (
    SIGN,
    IdentitySettings,
    IdentityWatch,
    mean_sign,
    parse_sign,
    sign_bytes,
    sign_of_video,
)

ADA, BOB = np.eye(SIGN, dtype=np.float32)[:2]
POINTS = np.zeros((478, 3), np.float32)


class Seen:
    """A network for which the picture is the descriptor."""

    looks = 0

    def describe(self, image, points):
        self.looks += 1
        return image


def watch(**settings):
    seen = Seen()
    return IdentityWatch(ADA, IdentitySettings(every=10, **settings), seen), seen


def test_it_looks_now_and_then_and_one_bad_picture_stops_nobody():
    sure, seen = watch(memory=3)
    for now in range(40):
        assert sure.step(now, ADA, POINTS)
    assert seen.looks == 4
    assert sure.step(40, BOB, POINTS)  # 2 of 3 looks saw Ada
    assert not sure.step(50, BOB, POINTS)


def test_who_comes_back_is_looked_at_anew_and_at_once():
    sure, _ = watch(memory=3)
    assert sure.step(0, ADA, POINTS)
    assert sure.step(1, ADA, None)
    assert not sure.step(2, BOB, POINTS)
    assert not sure.step(3, ADA, None)  # nobody is nobody's proof
    assert sure.step(4, ADA, POINTS)


def test_a_sign_comes_back_from_its_bytes_and_rubbish_does_not():
    sign = mean_sign([ADA, BOB])
    assert np.linalg.norm(sign) == pytest.approx(1) and sign @ ADA == pytest.approx(0.5**0.5)
    np.testing.assert_array_equal(parse_sign(sign_bytes(sign)), sign)
    for data in (b"", bytes(4 * SIGN), sign_bytes(sign)[:-1], b"\xff" * 4 * SIGN):
        with pytest.raises(FormatError):
            parse_sign(data)


def test_a_person_is_told_from_another_on_real_clips(clips, models, monkeypatch):
    pytest.importorskip("mediapipe")
    monkeypatch.setenv("FACEWIRE_MODELS", str(models))
    one, again, other = (
        sign_of_video(clips / "enrol" / name, 3) for name in ("talk_a.mp4", "talk_b.mp4",
                                                               "turning.mp4")
    )  # fmt: skip
    threshold = IdentitySettings().threshold
    assert one @ again > threshold > one @ other
