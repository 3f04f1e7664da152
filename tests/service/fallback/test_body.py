"""The marks that go along with the shoulders."""

from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("torch")

from avatar.face import Window  # noqa: E402
from codec.mttf.guide import BODY  # noqa: E402
from service.fallback.body import BodyReader, bodies  # noqa: E402

WINDOW = Window(0.0, 0.0, 256.0, 256, 256)
FACE = np.full((478, 2), 0.35)  # all of it, the chin too, is above the shirt


def person(right: float = 0.0, down: float = 0.0, scale: float = 1.0) -> tuple:
    """A checked shirt before a still ground [256, 256, 3], its matte; moved by pixels."""
    y, x = np.mgrid[0:256, 0:256].astype(np.float64)
    u, v = (x - 128 - right) / scale + 128, (y - 200 - down) / scale + 200
    shirt = (v > 120 + 0.004 * (u - 128) ** 2) & (np.abs(u - 128) < 95)
    checks = 110 + 50 * np.sin(u / 9) + 40 * np.sin(v / 11)
    ground = 128 + 20 * np.sin(x / 20)
    picture = np.where(shirt, checks, ground)[..., None].repeat(3, -1)
    return cv2.GaussianBlur(picture, (0, 0), 2).astype(np.uint8), shirt.astype(np.float32)


class Matte:
    def __init__(self) -> None:
        self.asked = 0

    def matte(self, image):
        self.asked += 1
        return person()[1][::4, ::4]

    def close(self):
        pass


def test_marks_go_along_with_the_shirt() -> None:
    matte = Matte()
    reader = BodyReader(matte)
    for step in range(9):
        marks = reader.see(person(2.0 * step, step)[0], FACE, WINDOW)
        assert np.abs(marks - BODY - np.array([2.0 * step, step]) / 256).max() < 1.5 / 256
    assert matte.asked == 1


def test_who_leans_forward_is_larger() -> None:
    reader = BodyReader(Matte())
    for scale in (1.0, 1.03, 1.06):
        marks = reader.see(person(scale=scale)[0], FACE, WINDOW)
    spread = np.ptp(marks, axis=0) / np.ptp(BODY, axis=0)
    assert np.allclose(spread, 1.06, atol=0.015)


def test_a_clip_is_read_from_its_middle() -> None:
    seen = [person(3.0 * n) for n in range(-4, 5)]
    mattes = np.stack([(255 * m).astype(np.uint8) for _, m in seen])
    found = bodies(np.stack([p for p, _ in seen]), mattes, np.stack([FACE] * 9))
    assert found.dtype == np.float32 and np.allclose(found[4], BODY, atol=1e-3)
    moved = (found - BODY).mean(axis=1) * 256
    assert np.allclose(moved[:, 0], 3.0 * np.arange(-4, 5), atol=1.0)
    assert np.abs(moved[:, 1]).max() < 1.0


def test_where_no_shirt_is_seen_nothing_moves() -> None:
    class Nobody(Matte):
        def matte(self, image):
            return np.zeros((64, 64), np.float32)

    reader = BodyReader(Nobody())
    for step in (0, 5):
        assert np.array_equal(reader.see(person(step)[0], FACE, WINDOW), BODY)


def test_what_is_held_before_the_shirt_takes_nothing_along() -> None:
    """A patterned board that comes up before the shirt, moves, and goes."""
    reader, rng = BodyReader(Matte()), np.random.default_rng(0)
    board = cv2.GaussianBlur(rng.integers(0, 255, (120, 200, 3), dtype=np.uint8), (0, 0), 4)
    reader.see(person()[0], FACE, WINDOW)
    for step in range(12):
        picture = person(6.0)[0]
        if held := 3 <= step < 9:
            picture[130:250, 10 + 5 * step : 210 + 5 * step] = board
        marks = reader.see(picture, FACE, WINDOW)
        wanted = BODY if held else BODY + np.float32([6 / 256, 0])
        assert np.abs(marks - wanted).max() < 1.5 / 256, step
