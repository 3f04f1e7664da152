"""The vector operators of the kernels against numpy, for any number of channels."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from numba import njit
from numba.core.errors import TypingError

from render.march_cpu import _opacity, _sigmoid
from render.simd import add, dots, lanes_of, mix, power_of_two, scatter

PLACES, WEIGHTS = (0, 6, 6, 17), (0.5, -2.0, 0.25, 3.0)


@njit
def mixed(lanes, out, grid, places, weights):
    mix(lanes, out, 2, grid, places, weights)


@njit
def added(lanes, out, grid, places, weights):
    add(lanes, out, 2, grid, places, weights)


@njit
def scattered(lanes, grid, places, weights, values):
    scatter(lanes, grid, places, weights, values, 1)


@njit
def products(lanes, grid, places, values):
    return dots(lanes, grid, places, values, 1)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("lanes", [1, 3, 4, 12, 16, 24])
def test_what_they_do_to_flat_places(lanes):
    grid, out, values = numbers(5, 9), numbers(30), numbers(31)
    weights = tuple(np.float32(w) for w in WEIGHTS)
    rows = np.stack([grid.ravel()[place : place + lanes] for place in PLACES])
    expected = out.copy()
    expected[2 : 2 + lanes] = weights @ rows
    now = out.copy()
    mixed(lanes_of(lanes), now, grid, PLACES, weights)
    np.testing.assert_allclose(now, expected, rtol=1e-5, atol=1e-6)
    expected[2 : 2 + lanes] += out[2 : 2 + lanes]
    now = out.copy()
    added(lanes_of(lanes), now, grid, PLACES, weights)
    np.testing.assert_allclose(now, expected, rtol=1e-5, atol=1e-6)
    value = values[1 : 1 + lanes]
    found = products(lanes_of(lanes), grid, PLACES, values)
    np.testing.assert_allclose(found, rows @ value, rtol=1e-4, atol=1e-5)
    changed, expected = grid.copy(), grid.ravel().copy()
    for place, weight in zip(PLACES, weights, strict=True):
        expected[place : place + lanes] += weight * value  # one place twice
    scattered(lanes_of(lanes), changed, PLACES, weights, values)
    np.testing.assert_allclose(changed.ravel(), expected, rtol=1e-5, atol=1e-6)


def test_an_array_that_is_not_in_one_piece_or_not_of_float32_is_refused():
    weights = tuple(np.float32(w) for w in WEIGHTS)
    for grid in (numbers(9, 9)[:, ::2], numbers(9, 9).astype(np.float64)):
        with pytest.raises(TypingError, match="contiguous|float32"):
            mixed(lanes_of(4), numbers(30), grid, PLACES, weights)


def test_powers_of_two_are_exact():
    power = njit(lambda x: power_of_two(x))
    for exponent in (-126, -3, 0, 1, 127):
        assert power(np.int32(exponent)) == np.float32(2.0**exponent)


def test_opacity_and_its_slope_are_as_exact_as_float32():
    for logit in np.float32([-200, -30, -8, -1.3, 0, 0.7, 6, 40, 300]):
        exact = np.float64(logit)
        assert abs(_sigmoid(logit) - 1 / (1 + np.exp(-exact))) < 3e-7
        for depth in np.float32([1e-6, 0.01, 0.5, 4]):
            right = -np.expm1(-np.logaddexp(0, exact) * np.float64(depth))
            assert abs(_opacity(logit, depth) - right) < 5e-7
