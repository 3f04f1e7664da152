"""Compiled kernels that fill in between rays, against their plain twins."""

from __future__ import annotations

import pytest
import torch

from render.enlarge import busy, busy_plain, enlarged, enlarged_plain

SHAPES = [((9, 7), (18, 14)), ((128, 96), (255, 191)), ((5, 6), (31, 8)), ((4, 4), (4, 4))]


def layer(height: int, width: int) -> torch.Tensor:
    """Smooth, with an empty part and a hard edge."""
    torch.manual_seed(height)
    seen = torch.rand(height, width, 4).cumsum(1) / width
    seen[height // 2 :, : width // 3] = 0.0
    return seen


@pytest.mark.parametrize("small, large", SHAPES)
def test_what_is_filled_in_agrees_with_the_twin(small, large):
    seen = layer(*small)
    ours, theirs = enlarged(seen, large), enlarged_plain(seen, large)
    assert ours.shape == (*large, 4) and ours.min() == 0.0 < ours.max() <= 1.0
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=0)


@pytest.mark.parametrize("small, large", SHAPES)
def test_where_it_is_busy_agrees_with_the_twin(small, large):
    seen = layer(*small)
    for contrast in (0.1, 0.4, 2.0):
        ours = busy(seen, large, contrast)
        assert torch.equal(ours, busy_plain(seen, large, contrast))
    assert not ours.any() and busy(seen, large, 0.1).any()
