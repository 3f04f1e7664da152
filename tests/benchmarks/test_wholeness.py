"""Holes, floaters and strays, counted on pictures in which their pixels are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.wholeness import detail, floaters, holes, strays

SIZE = 64
NOWHERE = np.zeros((SIZE, SIZE), bool)


def filled(top, bottom, left, right, level=1.0):
    """[64, 64] opacity of a rectangle."""
    seen = np.zeros((SIZE, SIZE))
    seen[top:bottom, left:right] = level
    return seen


@pytest.fixture
def head():
    return filled(8, 40, 16, 48)  # 1024 pixels


@pytest.fixture
def torso():
    return filled(44, 64, 0, 64)


def test_a_hole_in_a_layer_counts_as_its_share(head, torso):
    assert holes(np.maximum(head, torso), [head, torso], NOWHERE) == 0.0
    head[20:24, 30:40] = 0.2
    seen = np.maximum(head, torso)
    assert holes(seen, [head, torso], NOWHERE) == pytest.approx(40 / (1024 + 1280))


def test_what_is_behind_a_hole_stops_it(head):
    torso = filled(16, 64, 0, 64)
    head[20:24, 30:40] = 0.0
    assert holes(np.maximum(head, torso), [head, torso], NOWHERE) == 0.0


def test_a_gap_between_hair_and_shoulder_is_none(head, torso):
    hair = head.copy()
    hair[40:44, 16:18] = hair[40:44, 46:48] = 1.0  # two locks down to the shoulders
    assert holes(np.maximum(hair, torso), [hair, torso], NOWHERE) == 0.0


def test_a_face_that_is_open_to_one_side_is_a_hole(head, torso):
    face = filled(10, 38, 18, 46) > 0
    head[20:24, 16:40] = 0.0  # a bay, which nothing encloses
    assert holes(np.maximum(head, torso), [head, torso], NOWHERE) == 0.0
    missing = 4 * (40 - 18)
    whole = 1024 + 1280 - 4 * (40 - 16) + missing
    found = holes(np.maximum(head, torso), [head, torso], face)
    assert found == pytest.approx(missing / whole)


def test_a_head_without_a_neck_floats_and_so_do_faint_specks(head, torso):
    neck = filled(40, 44, 28, 36)
    person = np.maximum(np.maximum(head, torso), neck)
    assert floaters(person) == 0.0
    assert floaters(np.maximum(head, torso)) == pytest.approx(1024 / 1280)
    person[2:4, 2:5] = 0.2
    assert floaters(person) == pytest.approx(6 / person[person == 1.0].size)
    person[2:4, 2:5] = 0.05  # too faint to be seen
    assert floaters(person) == 0.0


def test_what_stands_where_nobody_is_counts_beyond_the_reach(head):
    expected = head > 0
    beside = np.maximum(head, filled(8, 40, 48, 60))  # connected, twelve pixels wide
    assert strays(head, expected, 4.0) == 0.0
    assert strays(beside, expected, 12.0) == 0.0
    assert strays(beside, expected, 4.0) == pytest.approx(32 * 8 / 1024)
    assert strays(np.maximum(head, filled(8, 40, 48, 60, 0.4)), expected, 4.0) == 0.0


def test_detail_is_that_of_the_face_alone():
    rng = np.random.default_rng(0)
    picture = np.full((SIZE, SIZE, 3), 100, np.uint8)
    face = filled(8, 40, 16, 48) > 0
    picture[~face] = rng.integers(0, 255, (int((~face).sum()), 3))
    assert detail(picture, face) == 0.0
    ramp = np.tile((3 * np.arange(SIZE)).astype(np.uint8)[None, :, None], (SIZE, 1, 3))
    assert detail(ramp, face) == pytest.approx(9.0)
    assert np.isnan(detail(picture, NOWHERE))
