"""The square of a source that is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.camera import Pinhole
from avatar.face import Window
from enroll.scene import TrackPrior, window_for

SIZE = (1280, 720)


def face(x: float, y: float, frames: int = 5) -> np.ndarray:
    """A face 200 pixels wide about a place."""
    rng = np.random.default_rng(0)
    return rng.uniform([x - 100, y - 100, 0], [x + 100, y + 100, 0], (frames, 478, 3))


@pytest.fixture
def prior() -> TrackPrior:
    """Enrolled on the left."""
    window = Window(0.0, 0.0, 720.0, *SIZE)
    return TrackPrior(np.zeros(1), Pinhole(2.0), window, np.zeros((64, 64), np.uint8), SIZE)


def test_the_enrolled_window_holds_where_the_face_is_in_it(prior):
    assert window_for(face(360, 300), SIZE, prior) == prior.window
    assert window_for(face(610, 300), SIZE, prior) == prior.window


@pytest.mark.parametrize("x, left", [(900, 540), (1200, 560), (680, 320)])
def test_a_face_beyond_it_gets_a_window_of_its_own(prior, x, left):
    window = window_for(face(x, 300), SIZE, prior)
    assert (window.side, window.top) == (720, 0) and abs(window.left - left) <= 2


def test_another_size_has_its_own(prior):
    window = window_for(face(500, 200), (640, 480), prior)
    assert (window.left, window.side, window.width) == (160, 480, 640)
