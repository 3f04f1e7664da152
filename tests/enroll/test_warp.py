from __future__ import annotations

import numpy as np

from enroll.warp import backward_map

SQUARE = np.array([[0.0, 0], [8, 0], [8, 8], [0, 8]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])


def test_the_identity_maps_every_pixel_to_its_own_centre() -> None:
    where, cover = backward_map(TWO, SQUARE, np.zeros(4), SQUARE, 8, 8)
    y, x = np.mgrid[:8, :8] + 0.5
    assert cover.all()
    np.testing.assert_allclose(where, np.stack([x, y], axis=2), atol=1e-5)


def test_an_affine_map_is_undone() -> None:
    turn = np.array([[0.8, -0.3], [0.2, 1.1]])
    shown = SQUARE @ turn.T + [3.0, -2.0]
    where, _ = backward_map(TWO, SQUARE, np.zeros(4), shown, 8, 8)
    y, x = np.mgrid[:8, :8] + 0.5
    expected = np.stack([x, y], axis=2) @ turn.T + [3.0, -2.0]
    np.testing.assert_allclose(where, expected, atol=1e-4)


def test_the_nearer_triangle_covers_the_farther_one() -> None:
    points = np.concatenate([SQUARE, SQUARE])
    source = np.concatenate([np.full((4, 2), 1.0), np.full((4, 2), 2.0)])
    triangles = np.concatenate([TWO, TWO + 4])
    for first, second, seen in ((0.0, 1.0, 1.0), (1.0, 0.0, 2.0)):
        depth = np.repeat([first, second], 4)
        where, _ = backward_map(triangles, points, depth, source, 8, 8)
        assert (where == seen).all()


def test_a_triangle_turned_away_or_outside_is_left_out() -> None:
    _, cover = backward_map(TWO[:, ::-1], SQUARE, np.zeros(4), SQUARE, 8, 8)
    assert not cover.any()
    _, cover = backward_map(TWO, SQUARE + 100, np.zeros(4), SQUARE, 8, 8)
    assert not cover.any()


def test_what_reaches_over_the_edge_is_cut() -> None:
    _, cover = backward_map(TWO, SQUARE - 4, np.zeros(4), SQUARE, 8, 8)
    assert cover[:4, :4].all() and cover.sum() == 16
