"""The shipped network as sender and receiver run it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from codec.mttf.runtime import Runtime  # noqa: E402
from codec.mttf.weights import find_weights, load_weights  # noqa: E402
from render.metrics import psnr  # noqa: E402


@pytest.mark.parametrize("side", [128, 256])
def test_half_precision_draws_what_single_draws(make_scene, side) -> None:
    """A face that goes half a tenth of the picture aside and opens its mouth."""
    weights = load_weights(find_weights())
    one, other = Runtime(weights, half=False), Runtime(weights, half=True)
    rest = weights.tensors["guide.mean"].reshape(-1, 2)
    moved = rest + np.float32([0.05, 0.0])
    moved[14:18, 1] += 0.03
    key, filmed = make_scene(0.0, side), make_scene(0.05, side)
    vectors = one.vectors(filmed, moved)
    assert np.array_equal(vectors, other.vectors(filmed, moved))
    face = one.face(rest)
    exact, quick = (r.generate(r.hold(key, face), vectors) for r in (one, other))
    assert not np.array_equal(exact, key)
    assert psnr(quick, exact) > 45
