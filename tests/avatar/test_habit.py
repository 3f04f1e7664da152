"""Expressions no farther than the enrolment's own."""

from __future__ import annotations

import numpy as np

from avatar.habit import DEVIATIONS, Habit

RNG = np.random.default_rng(0)
AXES = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
SPREAD = np.array([2.0, 1.0, 0.1, 0.05])
CODES = RNG.normal(size=(4000, 4)) * SPREAD @ AXES.T + [1.0, 0, -1, 3]
HABIT = Habit.of(CODES)


def test_what_the_enrolment_did_stays_as_it_is() -> None:
    near = CODES[np.abs((CODES - CODES.mean(0)) @ AXES / SPREAD).max(1) < 0.95 * DEVIATIONS]
    assert len(near) > 3000
    np.testing.assert_allclose(HABIT.within(near), near, atol=1e-5)


def test_an_axis_ends_where_it_ends_and_the_others_are_let_be() -> None:
    """Far along an axis that hardly moved, and half way along one that did."""
    asked = HABIT.centre + 0.5 * AXES[:, 0] + 2.0 * AXES[:, 3]
    got = HABIT.within(asked[None])[0] - HABIT.centre
    np.testing.assert_allclose(got @ AXES[:, 0], 0.5, atol=0.01)
    np.testing.assert_allclose(got @ AXES[:, 3], DEVIATIONS * SPREAD[3], rtol=0.1)


def test_the_ends_are_three_deviations_along_the_enrolments_axes() -> None:
    axes = HABIT.ends / DEVIATIONS
    np.testing.assert_allclose(axes @ axes.T, np.cov(CODES, rowvar=False), atol=1e-4)


def test_a_face_that_never_moved_has_an_end_in_every_direction() -> None:
    still = Habit.of(np.zeros((10, 3)))
    assert np.all(np.isfinite(still.within(np.ones((2, 3)))))
    line = Habit.of(np.linspace(0, 1, 50)[:, None] * [1.0, 1.0, 0.0])
    assert np.abs(line.within(np.array([[0.5, 0.5, 9.0]]))[0, 2]) < 0.1
