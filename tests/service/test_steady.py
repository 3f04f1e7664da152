"""Noise goes, motion stays: on states whose true course is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar.avatar import StateStatistics
from avatar.face import FaceStates, StateLayout
from service.steady import SteadySettings, steadied

LAYOUT = StateLayout(code=4)
FRAMES, FPS = 120, 25
STATISTICS = StateStatistics(np.zeros(LAYOUT.width), np.ones(LAYOUT.width), np.ones(LAYOUT.width))
TURN = LAYOUT.groups["rotation"].start + 1
NOISE = SteadySettings().noise.rotation


def states_of(values: np.ndarray, visible: np.ndarray | None = None) -> FaceStates:
    time = np.arange(len(values), dtype=np.int64) * 1_000_000 // FPS
    shown = np.ones(len(values), bool) if visible is None else visible
    return FaceStates(time, values.astype(np.float32), shown, LAYOUT)


@pytest.fixture
def noisy():
    """A turn of the head over noise: [F, D] around [F, D]."""

    def make(turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        true = np.zeros((len(turn), LAYOUT.width))
        true[:, TURN] = turn
        noise = np.zeros(true.shape)
        noise[:, LAYOUT.groups["rotation"]] = NOISE
        return true, true + noise * np.random.default_rng(0).normal(size=true.shape)

    return make


def off(states: FaceStates, true: np.ndarray) -> float:
    return float(np.sqrt(np.square(states.values - true)[:, TURN].mean()))


def test_who_keeps_still_is_shown_still(noisy):
    true, seen = noisy(np.zeros(FRAMES))
    inner = slice(12, -12)
    out = steadied(states_of(seen), STATISTICS).values[inner, TURN]
    assert np.std(out) < 0.35 * np.std(seen[inner, TURN])
    assert np.abs(np.diff(out)).max() < 0.2 * np.abs(np.diff(seen[inner, TURN])).max()


@pytest.mark.parametrize("hertz, least", [(0.3, 0.85), (1.0, 0.85)])
def test_who_moves_is_shown_moving_without_lag(noisy, hertz, least):
    swing = 0.2 * np.sin(2 * np.pi * hertz * np.arange(FRAMES) / FPS)
    true, seen = noisy(swing)
    out = steadied(states_of(seen), STATISTICS)
    assert off(out, true) < least * off(states_of(seen), true)
    still = steadied(states_of(true), STATISTICS)
    assert off(still, true) < 0.5 * NOISE


def test_a_cut_and_a_gap_are_not_smeared(noisy):
    step = np.where(np.arange(FRAMES) < 60, 0.0, 0.5)
    true, seen = noisy(step)
    out = steadied(states_of(seen), STATISTICS).values[:, TURN]
    assert np.abs(out - step).max() < 4 * NOISE
    visible = np.ones(FRAMES, bool)
    visible[40:50] = False
    slow = np.where(np.arange(FRAMES) < 45, 0.0, 20 * NOISE)
    true, seen = noisy(slow)
    lost = steadied(states_of(seen, visible), STATISTICS)
    assert np.array_equal(lost.values[~visible], states_of(seen).values[~visible])
    assert np.abs((lost.values[:, TURN] - slow)[visible]).max() < 4 * NOISE


def test_a_group_that_moves_leaves_others_at_rest(noisy):
    true, seen = noisy(np.zeros(FRAMES))
    speaking = seen.copy()
    mouth = LAYOUT.groups["code"]
    speaking[:, mouth] = np.random.default_rng(1).normal(size=speaking[:, mouth].shape)
    quiet = steadied(states_of(seen), STATISTICS).group("rotation")
    assert np.array_equal(steadied(states_of(speaking), STATISTICS).group("rotation"), quiet)


def test_the_rate_of_frames_does_not_decide_how_much_is_smoothed(noisy):
    """At 5 frames a second a fast smoothing has nothing to smooth."""
    true, seen = noisy(0.3 * np.sin(np.arange(FRAMES)))
    slow = states_of(seen)
    slow = replace(slow, time=slow.time * 5)
    assert np.allclose(steadied(slow, STATISTICS).values, slow.values, atol=0.05 * NOISE)


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_short_calls(frames):
    values = np.random.default_rng(0).normal(size=(frames, LAYOUT.width))
    out = steadied(states_of(values), STATISTICS)
    assert out.values.shape == values.shape and np.isfinite(out.values).all()
