"""Metrics of pictures against values worked out by hand, a slow twin, and a paper's own table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avatar.errors import InputError
from bench.metrics.difference import l1
from bench.metrics.gmsd import C, gmsd
from bench.metrics.tradeoff import tradeoff, tradeoff_name


def _picture(height: int = 21, width: int = 26, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_l1_is_of_one() -> None:
    black = np.zeros((4, 5, 3), np.uint8)
    assert l1(black, black) == 0
    assert l1(black, black + 255) == pytest.approx(1)
    assert l1(black + 51, black) == pytest.approx(0.2)


def _slow_gmsd(reference: np.ndarray, picture: np.ndarray) -> float:
    """The definition, a pixel at a time."""

    def gradient(rgb: np.ndarray) -> np.ndarray:
        luma = 0.2989 * rgb[..., 0] + 0.5870 * rgb[..., 1] + 0.1140 * rgb[..., 2]

        def level(plane: np.ndarray, y: int, x: int) -> float:
            inside = 0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]
            return float(plane[y, x]) if inside else 0.0

        height, width = (luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2
        small = np.array([
            [np.mean([level(luma, 2 * y + v, 2 * x + u) for v in (0, 1) for u in (0, 1)])
             for x in range(width)] for y in range(height)
        ])  # fmt: skip
        size = np.empty_like(small)
        for y in range(height):
            for x in range(width):
                across = sum(
                    level(small, y + d, x - 1) - level(small, y + d, x + 1) for d in (-1, 0, 1)
                )
                down = sum(
                    level(small, y - 1, x + d) - level(small, y + 1, x + d) for d in (-1, 0, 1)
                )
                size[y, x] = math.sqrt((across / 3) ** 2 + (down / 3) ** 2)
        return size

    a, b = gradient(reference), gradient(picture)
    similarity = (2 * a * b + C) / (a**2 + b**2 + C)
    return math.sqrt(((similarity - similarity.mean()) ** 2).sum() / (similarity.size - 1))


def test_gmsd_is_its_definition() -> None:
    a, b = _picture(), _picture(seed=1)
    assert gmsd(a, b) == pytest.approx(_slow_gmsd(a, b), abs=1e-12)
    assert gmsd(a, a) == 0
    with pytest.raises(InputError, match="4 pixels"):
        gmsd(a[:3], b[:3])


def test_tradeoffs_are_those_of_the_paper() -> None:
    """The row "Ours (f.t.)" of 003's Table 1, whose rate follows from its PSNR/b.r."""
    rate = 30.85 / 2.55
    assert tradeoff(0.934, rate) == pytest.approx(0.077, abs=5e-4)
    assert tradeoff(0.05, rate, rising=False) == pytest.approx(0.6, abs=0.01)
    assert tradeoff_name("PSNR") == "PSNR/b.r."
    assert tradeoff_name("LPIPS", rising=False) == "LPIPS x b.r."
    for rate in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="no trade-off"):
            tradeoff(1.0, rate)
