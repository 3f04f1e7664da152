"""Linear interpolation in feature planes and volumes: the inner loop of every radiance field.

Grids are channels-last, so that one texel is one contiguous run of memory: on a CPU that, and
one fused backward pass, is what makes them fast (benchmarks/interpolation.py measures it).  Each
operation has two forms, which a test holds together: compiled kernels for the CPU
(`interpolate_cpu`), and plain torch, which is the reference and what runs on a GPU.

Letters: B frames, G grids (B, or 1 shared by all frames), N points a frame, C channels.
Coordinates are -1..1 with the grid's corners at -1 and 1; points outside take the border.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

from render.gathered import plane_samples_gathered, volume_samples_gathered

_in_torch: ContextVar[bool] = ContextVar("in_torch", default=False)


@contextmanager
def in_torch() -> Iterator[None]:
    """Within it a CPU, too, samples by torch's operators, which torch.vmap can look into."""
    before = _in_torch.set(True)
    try:
        yield
    finally:
        _in_torch.reset(before)


def _compiled_here(grids: Tensor) -> bool:
    if torch.compiler.is_compiling():
        return False
    return grids.device.type == "cpu" and not _in_torch.get()


def _gathered_here(grids: Tensor) -> bool:
    return grids.dtype != torch.float32 or torch.compiler.is_compiling()


def plane_samples(
    planes: Tensor,  # [G, H, W, C] float32
    points: Tensor,  # [B, N, 2] float32, (x along W, y along H)
) -> Tensor:  # [B, N, C]
    """Bilinear samples; differentiable in both arguments."""
    if _compiled_here(planes):
        return _Bilinear.apply(planes, points)
    if _gathered_here(planes):
        return plane_samples_gathered(planes, points)
    return plane_samples_plain(planes, points)


def volume_samples(
    volumes: Tensor,  # [G, D, H, W, C] float32
    points: Tensor,  # [B, N, 3] float32, (x along W, y along H, z along D)
) -> Tensor:  # [B, N, C]
    """Trilinear samples; differentiable in both arguments."""
    if _compiled_here(volumes):
        return _Trilinear.apply(volumes, points)
    if _gathered_here(volumes):
        return volume_samples_gathered(volumes, points)
    return volume_samples_plain(volumes, points)


def plane_samples_plain(planes: Tensor, points: Tensor) -> Tensor:
    """The twin of `plane_samples`, by torch's own operator."""
    frames, count = points.shape[:2]
    if len(planes) == 1:  # one grid's gradient, not one for each frame
        points = points.reshape(1, -1, 2)
    grids = planes.permute(0, 3, 1, 2)
    out = functional.grid_sample(
        grids, points[:, :, None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return out[..., 0].permute(0, 2, 1).reshape(frames, count, planes.shape[-1])


def volume_samples_plain(volumes: Tensor, points: Tensor) -> Tensor:
    """The twin of `volume_samples`, by torch's own operator."""
    frames, count = points.shape[:2]
    if len(volumes) == 1:
        points = points.reshape(1, -1, 3)
    grids = volumes.permute(0, 4, 1, 2, 3)
    out = functional.grid_sample(
        grids, points[:, :, None, None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return out[..., 0, 0].permute(0, 2, 1).reshape(frames, count, volumes.shape[-1])


class _Bilinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, planes: Tensor, points: Tensor) -> Tensor:
        from render import interpolate_cpu as kernels

        planes, points = planes.detach().contiguous(), points.detach().contiguous()
        ctx.save_for_backward(planes, points)
        return torch.from_numpy(kernels.bilinear(planes.numpy(), points.numpy()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        from render import interpolate_cpu as kernels

        planes, points = ctx.saved_tensors
        return _gradients(ctx, kernels.bilinear_gradients, planes, points, grad)


class _Trilinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, volumes: Tensor, points: Tensor) -> Tensor:
        from render import interpolate_cpu as kernels

        volumes, points = volumes.detach().contiguous(), points.detach().contiguous()
        ctx.save_for_backward(volumes, points)
        return torch.from_numpy(kernels.trilinear(volumes.numpy(), points.numpy()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        from render import interpolate_cpu as kernels

        volumes, points = ctx.saved_tensors
        return _gradients(ctx, kernels.trilinear_gradients, volumes, points, grad)


def _gradients(
    ctx: Any, kernel: Any, grids: Tensor, points: Tensor, grad: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    d_grids, d_points = kernel(
        grids.numpy(),
        points.numpy(),
        grad.contiguous().numpy(),
        ctx.needs_input_grad[0],
        ctx.needs_input_grad[1],
    )
    return (
        torch.from_numpy(d_grids) if ctx.needs_input_grad[0] else None,
        torch.from_numpy(d_points) if ctx.needs_input_grad[1] else None,
    )
