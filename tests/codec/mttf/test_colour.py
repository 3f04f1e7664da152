"""4:2:0 in BT.709: known colours, grey stays grey, and no cast either way."""

from __future__ import annotations

import numpy as np
import pytest

from codec.mttf.colour import from_planes, to_planes


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((0, 0, 255), (32, 240, 118)),
    ],
)
def test_known_colours(rgb: tuple, yuv: tuple) -> None:
    planes = to_planes(np.full((4, 6, 3), rgb, np.uint8))
    assert planes.shape == (6, 6)
    assert {int(v) for v in planes[:4].ravel()} == {yuv[0]}
    assert {int(v) for v in planes[4].ravel()} == {yuv[1]}
    assert {int(v) for v in planes[5].ravel()} == {yuv[2]}
    ten = to_planes(np.full((4, 6, 3), rgb, np.uint8), 10)
    assert np.abs(ten / 4 - planes).max() <= 0.5
    assert np.abs(from_planes(ten, 10).astype(int) - rgb).max() <= 1


def test_grey_comes_back_and_colours_without_a_cast() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, -1)
    assert np.abs(from_planes(to_planes(grey, 10), 10).astype(int) - grey).max() <= 1
    y, x = np.mgrid[0:64, 0:64]
    smooth = np.stack([2 * x + 50, 3 * y + 20, x + y + 60], -1).astype(np.uint8)
    back = from_planes(to_planes(smooth))
    assert np.abs(back.astype(int) - smooth)[2:-2, 2:-2].max() <= 3
    assert np.abs(back.mean((0, 1)) - smooth.mean((0, 1))).max() < 0.3
