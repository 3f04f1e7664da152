"""What more than one test of the fallback needs."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A file of untrained ones: every frame shows the key frame."""
    torch = pytest.importorskip("torch")
    from codec.mttf.network import Mttf
    from codec.mttf.settings import LITE
    from codec.mttf.vectors import statistics_of
    from codec.mttf.weights import save_weights

    torch.manual_seed(0)
    tensors = {name: t.numpy() for name, t in Mttf(LITE).state_dict().items()}
    rows = np.random.default_rng(0).normal(size=(9, LITE.numbers))
    path = tmp_path_factory.mktemp("weights") / "mttf-lite.safetensors"
    save_weights(path, LITE, tensors, statistics_of(rows), {})
    return path
