from __future__ import annotations

import numpy as np
import pytest

from avatar.errors import InputError
from render.lanczos import lanczos


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(4).integers(90, 160, (60, 83, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(83, 60), (31, 20), (256, 256), (100, 17)])
def test_agrees_with_pillow(picture: np.ndarray, size: tuple[int, int]) -> None:
    image = pytest.importorskip("PIL.Image")
    expected = np.asarray(image.fromarray(picture).resize(size, image.Resampling.LANCZOS))
    difference = np.abs(lanczos(picture, *size).astype(int) - expected)
    # Pillow rounds to bytes (and clips) between its two passes.
    assert difference.max() <= 2 and difference.mean() < 0.25


def test_keeps_a_flat_picture_flat_and_a_type_its_type() -> None:
    flat = np.full((20, 30, 3), 77, np.uint8)
    assert (lanczos(flat, 64, 9) == 77).all()
    grey = lanczos(np.full((20, 30), 0.5, np.float32), 12, 40)
    assert grey.shape == (40, 12) and grey.dtype == np.float32
    np.testing.assert_allclose(grey, 0.5, rtol=1e-6)


def test_same_size_is_the_same_picture(picture: np.ndarray) -> None:
    assert np.array_equal(lanczos(picture, 83, 60), picture)


@pytest.mark.parametrize("size", [(0, 5), (5, -1)])
def test_refuses_an_empty_size(picture: np.ndarray, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="at least one pixel"):
        lanczos(picture, *size)
