"""Canonical <-> camera round trips, and torch against the numpy forms."""

import numpy as np
import torch

from avatar.camera import Pinhole, rotation_matrix, rotation_vector
from render.rays import camera_directions, head_rays, rotation_matrices


def test_a_head_point_is_on_the_ray_through_its_picture():
    generator = np.random.default_rng(0)
    camera = Pinhole(1.7, (0.52, 0.47))
    for _ in range(20):
        rotvec = generator.normal(0, 0.4, 3)
        translation = np.array([0.05, -0.02, -0.7]) + generator.normal(0, 0.02, 3)
        point = generator.normal(0, 0.08, 3)
        seen = camera.project(rotation_matrix(rotvec) @ point + translation)
        origin, direction = head_rays(
            camera,
            torch.tensor(seen)[None, None],
            torch.tensor(rotvec)[None],
            torch.tensor(translation)[None],
        )
        away = torch.tensor(point) - origin[0, 0]
        across = away - (away @ direction[0, 0]) * direction[0, 0]
        assert across.norm() < 1e-6


def test_rotations_agree_and_come_back():
    vectors = np.random.default_rng(1).normal(0, 0.8, (50, 3))
    vectors[0] = 0.0
    vectors[1] = [1e-7, 0, 0]
    matrices = rotation_matrix(vectors)
    twins = rotation_matrices(torch.tensor(vectors)).numpy()
    np.testing.assert_allclose(twins, matrices, atol=1e-9)
    np.testing.assert_allclose(rotation_vector(matrices), vectors, atol=1e-7)
    squares = matrices @ np.swapaxes(matrices, 1, 2)
    np.testing.assert_allclose(squares, np.broadcast_to(np.eye(3), squares.shape), atol=1e-12)


def test_the_gradient_at_no_rotation_is_finite():
    vector = torch.zeros(1, 3, requires_grad=True)
    rotation_matrices(vector).sum().backward()
    assert torch.isfinite(vector.grad).all()


def test_the_window_centre_looks_straight_ahead():
    direction = camera_directions(Pinhole(2.0), torch.tensor([[0.5, 0.5], [1.0, 0.5], [0.5, 1.0]]))
    torch.testing.assert_close(direction[0], torch.tensor([0.0, 0.0, -1.0]))
    assert direction[1][0] > 0 and direction[2][1] < 0  # right is right, down is down
