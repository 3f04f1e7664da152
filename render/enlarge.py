"""Between rays: a layer looked at at some points, as it is seen at all.

A layer is [h, w, 4]: colour times opacity, and opacity.  Two implementations behind each function:
compiled ones for the CPU (`enlarge_cpu`), and plain torch, which is the reference and what runs on
a GPU.

Letters: h x w points looked at, H x W pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

NOTHING = 1 / 512  # opacity: less than half a level of 255


def enlarged(seen: Tensor, shape: tuple[int, int]) -> Tensor:
    """[h, w, 4] -> [H, W, 4], bicubic, 0..1.  Colours are times opacity, so that no edge takes the
    colour of what was not drawn."""
    if seen.is_cuda:
        return enlarged_plain(seen, shape)
    from render import enlarge_cpu as kernels

    return torch.from_numpy(kernels.enlarged(seen.contiguous().numpy(), shape, NOTHING))


def enlarged_plain(seen: Tensor, shape: tuple[int, int]) -> Tensor:
    """The twin of `enlarged`, by torch's own operator."""
    planes = seen.permute(2, 0, 1)[None]
    wide = functional.interpolate(planes, size=shape, mode="bicubic", align_corners=False)
    wide = wide[0].permute(1, 2, 0).clamp(0.0, 1.0)  # bicubic weights overshoot
    return wide * (wide[..., 3:] > NOTHING)  # where nothing is, nothing stays


def busy(seen: Tensor, shape: tuple[int, int], contrast: float) -> Tensor:
    """[H, W] bool: where [h, w, 4] differs among nine neighbours by more than `contrast`."""
    if seen.is_cuda:
        return busy_plain(seen, shape, contrast)
    from render import enlarge_cpu as kernels

    return torch.from_numpy(kernels.busy(seen.contiguous().numpy(), shape, contrast))


def busy_plain(seen: Tensor, shape: tuple[int, int], contrast: float) -> Tensor:
    """The twin of `busy`, by torch's own operators."""
    planes = seen.permute(2, 0, 1)[None]
    high = functional.max_pool2d(planes, 3, 1, 1)
    low = -functional.max_pool2d(-planes, 3, 1, 1)
    spread = (high - low).amax(1, keepdim=True)
    return functional.interpolate(spread, size=shape, mode="nearest")[0, 0] > contrast
