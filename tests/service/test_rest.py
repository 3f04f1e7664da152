"""Of frames up to now: who keeps still is sent still, who moves is followed at once."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.avatar import StateStatistics
from avatar.face import StateLayout
from service.rest import Rest, RestSettings

LAYOUT = StateLayout(code=30)
ONES = np.ones(LAYOUT.width)
STATISTICS = StateStatistics(np.zeros(LAYOUT.width), ONES, ONES)
SETTINGS = RestSettings()
FRAMES, PERIOD = 100, 40_000
NOISE = SETTINGS.noise.of(LAYOUT, STATISTICS)
TURN = LAYOUT.groups["rotation"].start + 1
VOWEL = LAYOUT.groups["code"].start + 3


def filmed(true: np.ndarray, seed: int = 0) -> np.ndarray:
    return true + NOISE * np.random.default_rng(seed).normal(size=true.shape)


def sent(values: np.ndarray, noise: float = SETTINGS.levels, times: np.ndarray | None = None):
    rest = Rest(LAYOUT, STATISTICS)
    times = PERIOD * np.arange(len(values)) if times is None else times
    return np.array([rest.step(int(t), row, noise) for t, row in zip(times, values, strict=True)])


def still() -> np.ndarray:
    return np.zeros((FRAMES, LAYOUT.width))


def test_who_keeps_still_is_sent_still():
    seen = filmed(still())[20:]
    out = sent(filmed(still()))[20:]
    for columns in LAYOUT.groups.values():
        if columns.stop > columns.start:
            assert out[:, columns].std() < 0.5 * seen[:, columns].std()


@pytest.mark.parametrize("number", [TURN, VOWEL])
def test_who_moves_is_followed_at_once(number):
    """A step of forty deviations, which one number of thirty may take alone."""
    true = still()
    true[50:, number] = 40 * NOISE[number]
    out = sent(filmed(true))[:, number]
    assert np.abs(out[:50]).max() < 2 * NOISE[number]
    assert np.abs(out[50:] - true[50:, number]).max() < 4 * NOISE[number]


def test_what_it_lags_by_is_bounded_by_the_noise():
    true = still()
    true[:, TURN] = 0.3 * np.sin(2 * np.pi * 0.5 * np.arange(FRAMES) * PERIOD * 1e-6)
    assert np.abs(sent(true)[:, TURN] - true[:, TURN]).max() < 3 * SETTINGS.reach * NOISE[TURN]


def test_a_clean_film_is_sent_as_measured():
    seen = filmed(still())
    assert np.array_equal(sent(seen, noise=0.0), seen.astype(np.float32))
    little = sent(seen, noise=0.05)
    assert np.abs(little - seen)[:, TURN].max() < 0.5 * NOISE[TURN]


def test_after_a_gap_all_starts_anew():
    seen = filmed(still())
    times = PERIOD * np.arange(FRAMES)
    times[50:] += 1_000_000
    out = sent(seen, times=times)
    assert np.array_equal(out[50], seen[50].astype(np.float32))
    assert not np.array_equal(out[49], seen[49].astype(np.float32))
