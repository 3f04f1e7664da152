"""Weights that nobody trained: a generator that shows its key frames."""

from __future__ import annotations

import numpy as np

from codec.mttf.settings import NetworkSettings
from codec.mttf.vectors import statistics_of


def untrained(settings: NetworkSettings):
    import torch

    from codec.mttf.network import Mttf
    from codec.mttf.weights import Weights

    torch.manual_seed(0)
    tensors = {n: t.numpy() for n, t in Mttf(settings).state_dict().items()}
    rows = np.random.default_rng(0).normal(size=(9, settings.numbers))
    return Weights(settings, tensors, statistics_of(rows), "ab" * 32, {})
