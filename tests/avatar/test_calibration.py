"""What is systematic in a tracker's error is found and taken out."""

import numpy as np

from avatar.calibration import calibrated, learned


def test_a_linear_error_is_undone():
    generator = np.random.default_rng(0)
    true = generator.normal(0, [0.1] * 3 + [0.02] * 3 + [0.01] * 4, (800, 10))
    tracked = true * 0.95 + 0.003
    matrix = learned(tracked, true - tracked)
    before = np.abs(tracked - true).mean()
    after = np.abs(calibrated(matrix, tracked) - true).mean()
    assert after < 0.1 * before


def test_noise_teaches_nothing():
    generator = np.random.default_rng(1)
    tracked = generator.normal(0, 0.1, (400, 10))
    matrix = learned(tracked, generator.normal(0, 0.01, (400, 10)))
    # Eleven numbers learned from 400 noisy frames: sqrt(11 / 400) of the noise is left, no more.
    assert (calibrated(matrix, tracked) - tracked).std() < 0.0025
