"""What varies behind a person."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from bench.metrics import stillness
from bench.metrics.stillness import flicker


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """[64, 64] bool: who a made-up matting network finds in the middle."""
    matte = np.zeros((64, 64), np.float32)
    matte[16:, 24:40] = 1.0

    class Network:
        def matte(self, image: np.ndarray) -> np.ndarray:
            return matte

        def close(self) -> None:
            pass

    monkeypatch.setattr("enroll.matte.SelfieMatte", Network)
    return matte > 0


def test_a_wall_that_stands_still_and_one_that_flickers(person) -> None:
    rng = np.random.default_rng(0)
    filmed = rng.integers(100, 110, (20, 64, 64, 3)).astype(np.uint8)  # a camera's noise
    shown = np.full_like(filmed, 105)
    shown[:, person] = rng.integers(0, 255, (20, int(person.sum()), 3))  # the person may move
    assert flicker(filmed, shown).max() == 0.0
    shown[::2, :8] += 4  # every other frame, the upper eighth of the picture
    behind = stillness.background_of(filmed)
    assert not behind[person].any() and behind[:8, :8].all()
    share = behind[:8].sum() / behind.sum()
    assert flicker(filmed, shown) == pytest.approx(2.0 * np.sqrt(share))


def test_a_picture_full_of_person_says_nothing(person, monkeypatch) -> None:
    monkeypatch.setattr(stillness, "PERSON", -1.0)
    assert np.isnan(flicker(*[np.zeros((3, 64, 64, 3), np.uint8)] * 2)).all()
