"""RDAC's residuals: bytes alone bring them back, each window by itself."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("av")

from avatar.errors import StreamError
from bench.generative.residual import (
    ResidualSettings,
    corrected,
    decode_residuals,
    encode_residuals,
)
from codec.bits import ByteReader
from tests.codec.mttf.conftest import scene

SIDE, COUNT = 64, 11
FILMED = [scene(0.03 * n, SIDE) for n in range(COUNT)]
ANIMATED = [scene(0.0, SIDE)] * COUNT


def shown(data: bytes, count: int = COUNT) -> np.ndarray:
    off = decode_residuals(data, SIDE, count)
    return np.stack([corrected(made, one) for one, made in zip(off, ANIMATED)])


def away(pictures: np.ndarray) -> float:
    return float(np.abs(pictures.astype(float) - np.stack(FILMED)).mean())


def test_residuals_bring_pictures_nearer() -> None:
    coarse, fine = (encode_residuals(FILMED, ANIMATED, ResidualSettings(qp)) for qp in (44, 20))
    assert len(coarse) < 0.5 * len(fine)
    assert away(shown(fine)) < away(shown(coarse)) < 0.5 * away(np.stack(ANIMATED))
    assert np.array_equal(shown(fine), shown(fine))


@pytest.mark.parametrize("qp", (51, 36))
def test_nothing_off_changes_nothing(qp) -> None:
    data = encode_residuals(ANIMATED, ANIMATED, ResidualSettings(qp))
    assert np.array_equal(shown(data), np.stack(ANIMATED))


def test_each_is_predicted_and_each_window_begins_anew() -> None:
    """What is off stays the same: those after a window's first cost next to nothing; a window
    decodes to the same with others before it."""
    filmed = [FILMED[5]] * 16
    animated = [ANIMATED[0]] * 16
    one, eight, sixteen = (
        encode_residuals(filmed[:n], animated[:n], ResidualSettings(30)) for n in (1, 8, 16)
    )
    assert len(eight) < 2 * len(one)
    reader = ByteReader(sixteen, "residual")
    reader.take(2, "head")
    first, second = (reader.blob("stream", reader.left) for _ in range(2))
    assert first == second and not reader.left
    assert sixteen.startswith(eight)


def test_what_is_far_off_is_sent_as_far_as_it_goes() -> None:
    dark, bright = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE, 3), 255, np.uint8)
    data = encode_residuals([bright], [dark], ResidualSettings(10))
    (off,) = decode_residuals(data, SIDE, 1)
    assert off.dtype == np.int16 and np.abs(off - 125).max() <= 2
    assert corrected(dark, off).max() <= 125 and corrected(bright, off).min() == 255


@pytest.mark.parametrize(
    "damage",
    (lambda d: d[:1], lambda d: d[:-5], lambda d: d + b"x", lambda d: d[:1] + b"\0" + d[2:]),
)
def test_damage_is_told(damage) -> None:
    data = encode_residuals(FILMED, ANIMATED, ResidualSettings(40))
    with pytest.raises(StreamError):
        shown(damage(data))
