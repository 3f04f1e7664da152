"""The light of each frame: found by what is behind the person, and taken out."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from enroll.exposure import exposures, levelled

FRAMES = 12


def room(noise: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """[F, 96, 96, 3] a patterned wall, somebody who sways before it; their mattes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:96, 0:96] / 96
    wall = 60 + 120 * x[..., None] * np.array([1.0, 0.8, 0.6]) + 20 * np.sin(14 * y)[..., None]
    images, masks = [], []
    cy, cx = np.mgrid[0:64, 0:64] / 64
    for n in range(FRAMES):
        middle = 0.5 + 0.05 * np.sin(n)
        there = (x - middle) ** 2 + (y - 0.6) ** 2 < 0.08
        picture = np.where(there[..., None], 200 - 5 * n, wall) + rng.normal(0, noise, wall.shape)
        images.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        masks.append(255 * ((cx - middle) ** 2 + (cy - 0.6) ** 2 < 0.1).astype(np.uint8))
    return np.stack(images), np.stack(masks)


def other_light(images: np.ndarray, gains: np.ndarray, offset: float) -> np.ndarray:
    """Every third frame, by gains [3] and an offset in levels."""
    out = images.astype(np.float64)
    out[::3] = out[::3] * gains + offset
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def test_even_light_is_left_alone() -> None:
    images, masks = room()
    assert levelled(images, masks) is images
    assert np.abs(exposures(images, masks).light).max() < 0.01


def test_other_light_is_found_and_taken_out() -> None:
    images, masks = room()
    gains = np.array([1.12, 1.0, 0.92])
    lit = other_light(images, gains, 4.0)
    found = exposures(lit, masks).light
    middle = 0.5 * found[::3, 0] + found[::3, 1]  # of a middle grey
    assert np.allclose(middle, 0.5 * (gains - 1) + 4 / 255, atol=0.008)
    others = np.delete(found, np.s_[::3], axis=0)
    assert np.abs(0.5 * others[:, 0] + others[:, 1]).max() < 0.005
    even = levelled(lit, masks).astype(int)
    assert np.abs(even - images).mean() < 1.0 < 0.5 * np.abs(lit.astype(int) - images)[::3].mean()


def test_who_walks_by_does_not_count() -> None:
    images, masks = room()
    images[4, :, :20] = 255
    found = exposures(images, masks).light[4]
    assert np.abs(0.5 * found[0] + found[1]).max() < 0.01


def test_a_wall_on_which_something_moves_is_not_lit_otherwise() -> None:
    images, masks = room()
    for n in range(FRAMES):
        images[n, 8 * (n % 3) : 8 * (n % 3) + 40, :30] = 30 + 15 * n
    assert levelled(images, masks) is images


def test_without_a_background_nothing_is_told() -> None:
    images, masks = room()
    lit = other_light(images, np.full(3, 1.2), 0.0)
    assert levelled(lit, np.full_like(masks, 255)) is lit


def test_a_fit_learns_from_even_light(painted) -> None:
    """The pictures that it draws from are the levelled ones, of the person too."""
    pytest.importorskip("torch")
    from avatar.morphable import FaceModel
    from enroll.crops import Crops
    from enroll.fit import Fit
    from tests.enroll.test_fit import SMALL

    images, track = painted
    lit = other_light(images, np.full(3, 1.0), 12.0)
    run = Fit(Crops(lit, track.time), track, FaceModel.load(), SMALL)
    away = np.abs(run.images.numpy().astype(int) - images)
    assert away.mean() < 1.0 < np.abs(lit.astype(int) - images).mean()
