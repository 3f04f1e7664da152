"""Shoulders in the enrolled clothes, and in others."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.camera import Pinhole
from enroll.shoulders import Rest, Shoulders
from enroll.torso import SIZE, TorsoRegistration, TorsoSettings, middle_of, torso_reference
from tests.enroll.test_torso import matte, shoulders

CAMERA = Pinhole(2.0)
HEAD = np.array([0.0, 0.1, -1.0])  # projects to (0.5, 0.3)
REST = Rest(HEAD, np.zeros(4), CAMERA)
CHIN = 0.58


def dressed(shift=(0.0, 0.0)) -> np.ndarray:
    """The same outline, moved, in a jacket with the light from the other side."""
    x = np.arange(SIZE) - shift[0]
    body = np.roll(matte(), (round(shift[1]), round(shift[0])), (0, 1)) > 0
    rows = np.arange(SIZE)[:, None] - shift[1]
    cloth = 110 + 60 * np.sin(1.9 * x[None] - 0.8 * rows)
    return np.where(body, cloth, 220).astype(np.uint8)


@pytest.fixture(scope="module")
def reference():
    return torso_reference(shoulders(), matte(), CHIN)


def test_enrolled_clothes_are_registered_as_ever(reference):
    ours, plain = Shoulders(reference, REST), TorsoRegistration(reference)
    for shift in [(0.2, 0.1), (0.6, 0.3), (1.1, 0.4), (1.4, 0.2), (1.5, 0.0), (1.3, 0.0)]:
        grey = shoulders(shift)
        np.testing.assert_array_equal(
            ours.step(grey, matte(), CHIN, HEAD, CAMERA), plain.step(grey)
        )
        assert plain.agreement > 0.9


def test_other_clothes_do_not_agree(reference):
    registration = TorsoRegistration(reference)
    registration.step(dressed())
    assert registration.agreement < 0.5


def test_a_flat_picture_does_not_agree(reference):
    registration = TorsoRegistration(reference)
    registration.step(np.full((SIZE, SIZE), 90, np.uint8))
    assert registration.agreement == 0.0


def test_other_clothes_are_put_under_the_head_and_followed_from_there(reference):
    """Seen together: the torso stays where the head has it, and moves as the new jacket does."""
    pictures = np.array([dressed(), dressed((1.0, 0.0)), dressed((2.0, 0.0))])
    heads = np.tile(HEAD, (3, 1))
    masks = np.tile(matte(), (3, 1, 1))
    found = Shoulders(reference, REST).all(pictures, masks, 0, CHIN, heads, CAMERA)
    np.testing.assert_allclose(found[0], 0.0, atol=0.003)
    np.testing.assert_allclose(found[:, 0] * SIZE, [0, 1, 2], atol=0.2)
    np.testing.assert_allclose(found[:, 1:], 0.0, atol=0.02)


def test_live_other_clothes_rest_under_the_head_until_they_are_known(reference):
    live = Shoulders(reference, REST)
    nearer = HEAD / [1, 1, 2]  # twice as large, at (0.5, 0.1)
    under = REST.under(nearer, CAMERA, middle_of(reference))
    for _ in range(8):
        np.testing.assert_allclose(
            live.step(dressed(), matte(), CHIN, nearer, CAMERA), under, atol=0.003
        )
    # By now the head moves alone: shoulders are followed by their own picture.
    away = live.step(dressed(), matte(), CHIN, nearer + [0.05, 0, 0], CAMERA)
    np.testing.assert_allclose(away, under, atol=0.003)


def test_live_a_jacket_is_taken_off_and_put_on_again_and_a_hand_is_none(reference):
    settings = TorsoSettings(rewatched=40)
    live = Shoulders(reference, REST, settings)

    def step(grey):
        return live.step(grey, matte(), CHIN, HEAD, CAMERA)

    def moves(worn, times):
        """Pixels of 64 to the right, of shoulders that stand one there."""
        return [SIZE * float(step(worn((1.0, 0.0)))[0]) for _ in range(times)]

    assert np.allclose(moves(shoulders, 20)[-5:], 1, atol=0.2)
    moves(dressed, 19)  # before the shoulders for less than half of that time
    assert np.allclose(moves(shoulders, 40)[-5:], 1, atol=0.2)
    # Of the jacket nothing is known but where it is first seen: under the head.
    seen = moves(dressed, 60)
    assert np.allclose(seen[-5:], 0, atol=0.2)
    assert np.allclose([SIZE * step(dressed((2.0, 0.0)))[0] for _ in range(5)], 1, atol=0.2)
    assert np.allclose(moves(shoulders, 60)[-5:], 1, atol=0.2)


def test_under_a_nearer_head_shoulders_are_larger_and_lower():
    pivot = np.array([0.5, 0.8])
    nearer = np.array([0.0, 0.1, -0.5])  # seen at (0.5, 0.1), twice as large
    shift_x, shift_y, roll, scale = REST.under(nearer, CAMERA, pivot)
    # The pivot was half a window below the head; twice as near it is a whole one.
    np.testing.assert_allclose([shift_x, shift_y, roll], [0.0, 0.1 + 1.0 - 0.8, 0.0], atol=1e-12)
    assert scale == pytest.approx(np.log(2.0))


def test_another_lens_at_another_distance_changes_nothing():
    pivot = np.array([0.5, 0.8])
    far = Pinhole(4.0)
    np.testing.assert_allclose(REST.under(HEAD * [1, 1, 2], far, pivot), 0.0, atol=1e-12)


def test_without_an_enrolment_the_first_frame_is_the_reference():
    ours = Shoulders()
    first = ours.step(shoulders(), matte(), CHIN, HEAD, CAMERA)
    np.testing.assert_allclose(first, 0.0, atol=1e-3)
    np.testing.assert_array_equal(ours.reference, torso_reference(shoulders(), matte(), CHIN))
    moved = ours.step(dressed(), matte(), CHIN, HEAD, CAMERA)
    assert not np.allclose(moved, first)  # nothing is known that other clothes could be held to
