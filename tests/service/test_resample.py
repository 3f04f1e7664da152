"""States at other times."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.camera import rotation_matrix
from avatar.errors import InputError
from avatar.face import FaceStates, StateLayout
from service.resample import even_times, nearest, resampled

POSE = StateLayout(code=0, gaze=0, lids=0, torso=0)


def states(times, rotation, visible=None) -> FaceStates:
    values = np.zeros((len(times), 6), np.float32)
    values[:, :3] = rotation
    values[:, 3] = np.asarray(times) / 1e6
    seen = np.ones(len(times), bool) if visible is None else np.asarray(visible)
    return FaceStates(np.asarray(times, np.int64), values, seen, POSE)


def test_even_times_begin_where_the_source_does():
    assert even_times(40_000, 200_000, 25).tolist() == [40_000, 80_000, 120_000, 160_000, 200_000]
    assert len(even_times(0, 967_000, 30)) == 30


@pytest.mark.parametrize("fps", [0, -5, 1000, float("nan")])
def test_absurd_rates_are_refused(fps):
    with pytest.raises(InputError, match="frames a second"):
        even_times(0, 1000, fps)


def test_nearest_picture():
    times = np.array([0, 33, 67, 100])
    assert nearest(times, np.array([-5, 16, 17, 50, 99, 500])).tolist() == [0, 0, 1, 1, 3, 3]
    assert nearest(np.array([7]), np.array([0, 9])).tolist() == [0, 0]


def test_positions_go_straight_and_the_head_along_the_arc():
    source = states([0, 40_000], [[0.3, 0.2, 0.0], [0.3, 0.6, 0.1]])
    middle = resampled(source, np.array([20_000]))
    assert middle.values[0, 3] == pytest.approx(0.02)
    a, m, b = rotation_matrix(
        np.stack([source.values[0, :3], middle.values[0, :3], source.values[1, :3]])
    )
    assert a.T @ m == pytest.approx(m.T @ b, abs=1e-5)  # both halves are the same turn


def test_the_sources_own_times_give_its_own_states():
    source = states([0, 33_333, 66_667], np.random.default_rng(1).normal(size=(3, 3)))
    assert np.array_equal(resampled(source, source.time).values, source.values)


def test_nothing_is_invented_across_a_hole_or_beside_a_lost_face():
    source = states([0, 40_000, 500_000], [[0, 0, 0], [0, 0, 1], [0, 0, 2]], [True, False, True])
    there = resampled(source, np.array([15_000, 30_000, 200_000, 400_000]))
    assert there.values[:, 2].tolist() == [0, 1, 1, 2]
    assert there.visible.tolist() == [True, False, False, True]
