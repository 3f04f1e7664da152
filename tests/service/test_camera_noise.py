"""Of pictures whose noise is known."""

from __future__ import annotations

import numpy as np
import pytest

from service.camera_noise import CameraNoise

SIDE = 128
# What is left in grey of noise that each colour has alone (BT.601's weights).
GREY = float(np.linalg.norm([0.299, 0.587, 0.114]))


def film(noise: float, moving: bool = False, frames: int = 20):
    """A textured wall, and a textured person over half of it who turns their head."""
    rng = np.random.default_rng(0)
    wall, person = rng.integers(60, 200, (2, SIDE, SIDE, 3))
    for t in range(frames):
        picture = wall.astype(float)
        if moving:
            picture[SIDE // 2 :] = np.roll(person, 3 * t, axis=1)[SIDE // 2 :]
        yield np.clip(np.rint(picture + rng.normal(0, noise, wall.shape)), 0, 255).astype(np.uint8)


def measured(pictures) -> float:
    camera = CameraNoise()
    return [camera.step(picture) for picture in pictures][-1]


@pytest.mark.parametrize("noise", [1.5, 3.0, 8.0])
@pytest.mark.parametrize("moving", [False, True])
def test_what_stands_still_tells(noise, moving):
    assert measured(film(noise, moving)) == pytest.approx(GREY * noise, rel=0.12)


def test_a_clean_film_has_none():
    assert measured(film(0.0)) == 0.0
    assert measured(film(0.0, moving=True)) == 0.0


def test_a_frame_handed_out_twice_tells_nothing():
    twice = [picture for picture in film(3.0) for _ in range(2)]
    assert measured(twice) == pytest.approx(GREY * 3.0, rel=0.12)


def test_a_camera_turned_to_another_size_begins_anew():
    camera = CameraNoise()
    for picture in film(3.0):
        camera.step(picture)
    assert camera.step(np.zeros((64, 64, 3), np.uint8)) > 1.0
