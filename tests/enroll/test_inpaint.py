"""Filling in what was never seen."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from enroll.inpaint import inpainted


def test_what_was_never_seen_takes_after_its_surroundings() -> None:
    ramp = np.linspace(50, 200, 64, dtype=np.float32)
    wall = np.repeat(np.tile(ramp, (64, 1))[..., None], 3, axis=2)
    known = np.ones((64, 64), bool)
    known[20:50, 24:44] = False
    hidden = wall.copy()
    hidden[~known] = 0.0
    filled = inpainted(hidden, known)
    assert np.array_equal(filled[known], wall[known])
    assert np.abs(filled - wall)[~known].max() < 30
    assert np.abs(np.diff(filled, axis=1)).max() < 20  # no edge where the head was


def test_nothing_known_is_left_as_it_is() -> None:
    picture = np.full((8, 8, 3), 9, np.float32)
    assert np.array_equal(inpainted(picture, np.zeros((8, 8), bool)), picture)
    whole = np.random.default_rng(0).uniform(0, 255, (8, 8, 3)).astype(np.float32)
    assert np.allclose(inpainted(whole, np.ones((8, 8), bool)), whole)
