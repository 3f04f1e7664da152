"""The compiled kernels against their plain twins, values and gradients."""

import pytest
import torch

from render.interpolate import (
    plane_samples,
    plane_samples_plain,
    volume_samples,
    volume_samples_plain,
)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    "fast, plain, sizes",
    [
        (plane_samples, plane_samples_plain, (7, 5)),
        (volume_samples, volume_samples_plain, (3, 7, 5)),
        (volume_samples, volume_samples_plain, (1, 4, 2)),
    ],
)
def test_kernels_agree_with_their_twins(fast, plain, sizes, shared):
    torch.manual_seed(0)
    frames, count, channels = 3, 50, 4
    grids = torch.randn(1 if shared else frames, *sizes, channels)
    points = torch.rand(frames, count, len(sizes)) * 2.6 - 1.3  # some outside the grid
    weight = torch.randn(frames, count, channels)
    results = []
    for function in (fast, plain):
        g = grids.clone().requires_grad_()
        p = points.clone().requires_grad_()
        out = function(g, p)
        (out * weight).sum().backward()
        results.append((out.detach(), g.grad, p.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


def test_corners_are_at_minus_one_and_one():
    plane = torch.arange(6.0).reshape(1, 2, 3, 1)
    corners = torch.tensor([[[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]])
    assert plane_samples(plane, corners).flatten().tolist() == [0.0, 2.0, 3.0, 5.0, 2.5]


def test_only_the_gradients_asked_for_are_made():
    plane = torch.randn(1, 4, 4, 2)
    points = torch.zeros(1, 3, 2, requires_grad=True)
    plane_samples(plane, points).sum().backward()
    assert plane.grad is None and points.grad is not None
