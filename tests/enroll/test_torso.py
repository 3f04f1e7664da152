"""Shoulders drawn with a known motion, found again."""

from __future__ import annotations

import numpy as np
import pytest

from enroll.torso import SIZE, TorsoRegistration, torso_reference

cv2 = pytest.importorskip("cv2")


def shoulders(shift=(0.0, 0.0), roll=0.0, scale=1.0, light=1.0) -> np.ndarray:
    """A grey 64x64 picture of shoulders with a tie, moved about the middle of the picture's lower
    half (shift in 64ths), drawn eight times as large and averaged down."""
    k = 8
    side = SIZE * k
    y, x = np.mgrid[:side, :side].astype(float)
    x, y = (x + 0.5) / k - shift[0] - 32, (y + 0.5) / k - shift[1] - 50
    c, s = np.cos(roll) / scale, np.sin(roll) / scale
    u, v = c * x + s * y, -s * x + c * y
    cloth = 90 + 25 * np.sin(0.55 * u) + 20 * np.cos(0.4 * v + 0.3 * u)
    cloth = np.where(np.abs(u) < 2.5, 190, cloth)
    body = (v > -8 + 0.02 * u**2) & (np.abs(u) < 27)
    head = (x / 11) ** 2 + ((y + 28) / 15) ** 2 < 1
    picture = np.where(body, cloth, 40 + 0.6 * (x + 32))
    picture = np.where(head, 170, picture) * light
    small = cv2.resize(picture.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.clip(np.round(small), 0, 255).astype(np.uint8)


def matte() -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    body = (y - 50 > -8 + 0.02 * (x - 32) ** 2) & (np.abs(x - 32) < 27)
    return np.where(body, 255, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def reference():
    return torso_reference(shoulders(), matte(), chin=0.58)


def test_nothing_moved(reference):
    assert np.abs(TorsoRegistration(reference).step(shoulders())).max() < 1e-3


@pytest.mark.parametrize(
    "shift,roll,scale",
    [((0.4, 0), 0, 1), ((0, -0.7), 0, 1), ((1.3, 0.9), 0.03, 1.02), ((-2.1, 1.2), -0.05, 0.97)],
)
def test_motion_is_found_to_a_twentieth_of_a_pixel(reference, shift, roll, scale):
    registration = TorsoRegistration(reference)
    for part in (0.4, 0.7, 1.0, 1.0):  # as a video brings it
        moved = shoulders(
            (part * shift[0], part * shift[1]), part * roll, 1 + part * (scale - 1), light=1.04
        )
        got = registration.step(moved)
    # The registration's middle is the torso's own: where the true motion takes that point.
    x, y = registration.middle[0] + 0.5 - 32, registration.middle[1] + 0.5 - 50
    c, s = scale * np.cos(roll), scale * np.sin(roll)
    true = np.array([c * x - s * y + shift[0] - x, s * x + c * y + shift[1] - y])
    # 0.05 of 64 is 0.2 of 256.
    np.testing.assert_allclose(got[:2] * SIZE, true, atol=0.05)
    assert got[2] == pytest.approx(roll, abs=0.004)
    assert got[3] == pytest.approx(np.log(scale), abs=0.004)


def test_a_hand_before_the_chest_does_not_pull(reference):
    moved = shoulders((0.8, -0.4))
    moved[52:60, 10:20] = 200
    got = TorsoRegistration(reference).step(moved)
    np.testing.assert_allclose(got[:2] * SIZE, [0.8, -0.4], atol=0.1)


def test_no_torso_no_motion():
    registration = TorsoRegistration(torso_reference(shoulders(), matte() * 0, 0.5))
    assert not registration.step(shoulders((3, 3))).any()
    registration = TorsoRegistration(torso_reference(shoulders(), matte(), chin=0.99))
    assert not registration.step(shoulders((3, 3))).any()


def test_another_scene_gives_no_wild_numbers(reference):
    noise = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE)).astype(np.uint8)
    got = TorsoRegistration(reference).step(noise)
    assert np.all(np.isfinite(got)) and np.abs(got).max() < 0.6


def test_a_plain_shirt_is_followed_by_its_outline():
    """Nothing in it tells a motion; an outline that is off by a pixel is no outlier."""

    def plain(shift: float) -> np.ndarray:
        k = 8
        y, x = np.mgrid[: SIZE * k, : SIZE * k].astype(float)
        u, v = (x + 0.5) / k - 32, (y + 0.5) / k - 50 - shift
        picture = np.where((v > -8 + 0.02 * u**2) & (np.abs(u) < 27), 18.0, 215.0)
        return cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.uint8)

    registration = TorsoRegistration(torso_reference(plain(0.0), matte(), chin=0.58))
    for shift in (0.5, 1.0, 1.5, 1.5):
        got = registration.step(plain(shift))
    assert got[1] * SIZE == pytest.approx(1.5, abs=0.1)
