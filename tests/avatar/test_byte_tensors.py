"""A byte a number: how near it comes, and that reading and writing again changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.byte_tensors import MOST, from_bytes, to_bytes


@pytest.mark.parametrize("shape", [(1, 9, 11, 16), (36, 700), (1, 20, 20, 3), (5, 64)])
def test_within_half_a_step_of_each_group(shape):
    rng = np.random.default_rng(3)
    scales = 10.0 ** rng.uniform(-4, 4, shape[-1] if shape[-1] <= 64 else shape[0])
    scales = scales if shape[-1] <= 64 else scales[:, None]
    value = (rng.normal(size=shape) * scales).astype(np.float32)
    coded, step = to_bytes(value)
    assert coded.dtype == np.int8 and step.size == np.size(scales)
    assert np.all(np.abs(from_bytes(coded, step) - value) <= 0.5001 * step)
    axes = tuple(k for k in range(value.ndim) if step.shape[k] == 1 and value.shape[k] > 1)
    assert np.all(np.abs(coded).max(axis=axes) == MOST)


def test_what_was_read_is_written_as_the_same_bytes():
    rng = np.random.default_rng(4)
    for _ in range(50):
        value = rng.normal(size=(7, 30, 12)).astype(np.float32) * np.float32(rng.uniform(0.001, 90))
        first = to_bytes(value)
        again = to_bytes(from_bytes(*first))
        np.testing.assert_array_equal(again[0], first[0])
        np.testing.assert_array_equal(again[1], first[1])


def test_nothing_stays_nothing():
    coded, step = to_bytes(np.zeros((3, 4), np.float32))
    assert not coded.any() and np.all(step == 1.0)
