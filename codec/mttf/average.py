"""The moving average of a network's weights, which is what is kept of a training."""

from __future__ import annotations

from typing import Any

from codec.mttf.backend import torch

Network = Any


def follow(kept: Network, new: Network, done: int, most: float) -> None:
    """kept: moved towards `new` after `done` steps; whole numbers are taken as they are.  most:
    the decay, which is less at the start."""
    from torch.optim.swa_utils import get_ema_multi_avg_fn

    decay = min(most, (1 + done) / (10 + done))
    pairs = list(zip(kept.state_dict().values(), new.state_dict().values(), strict=True))
    floats = [pair for pair in pairs if pair[0].dtype.is_floating_point]
    # All at once: hundreds of small tensors are hundreds of waits on a GPU.
    get_ema_multi_avg_fn(decay)([old for old, _ in floats], [now for _, now in floats], None)
    with torch.no_grad():
        for old, now in pairs:
            if not old.dtype.is_floating_point:
                old.copy_(now)
