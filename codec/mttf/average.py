"""The moving average of a network's weights, which is what is kept of a training."""

from __future__ import annotations

from typing import Any

from codec.mttf.backend import torch

Network = Any


def follow(kept: Network, new: Network, done: int, most: float) -> None:
    """kept: moved towards `new` after `done` steps; whole numbers are taken as they are.  most:
    the decay, which is less at the start."""
    decay = min(most, (1 + done) / (10 + done))
    with torch.no_grad():
        for old, now in zip(kept.state_dict().values(), new.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(now, 1 - decay)
            else:
                old.copy_(now)
