"""The two stages of a head's rays (003, section 3.2) on a CPU, with gradients: the kernels of
`render.march_cpu` as torch's operators.  `Person` has the plain twin of each.

Letters: B frames, R rays a frame, S samples a ray.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


def look(
    start: Tensor,  # [B, 3] where the rays begin, box units
    along: Tensor,  # [B, R, 3] box units a metre
    edges: Tensor,  # [B, R, S + 1] metres
    warp: Tensor,  # [B, D, H, W, 3]
    coarse: Tensor,  # [1, D, H, W, 4]
    density_scale: float,
) -> tuple[Tensor, Tensor]:
    """Weights of the coarse stage [B, R, S], and its colour [B, R, 3].  Gradients flow to `coarse`
    alone."""
    weights, colour = _Look.apply(coarse, start, along, edges, warp, density_scale)
    return weights, colour


def march(
    start: Tensor,
    along: Tensor,
    edges: Tensor,
    grids: tuple[Tensor, ...],  # warp, coarse, front, top, profile, blend
    density_scale: float,
) -> tuple[Tensor, Tensor]:
    """Features that the fine stage accumulates along each ray [B, R, C + blend], and its opacity
    [B, R].  No gradient flows to `edges`."""
    features, opacity = _March.apply(start, along, edges, density_scale, *grids)
    return features, opacity


class _Look(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        coarse: Tensor,
        start: Tensor,
        along: Tensor,
        edges: Tensor,
        warp: Tensor,
        density_scale: float,
    ) -> tuple[Tensor, Tensor]:
        from render.march_cpu import Rays, look

        given = [_plain(value) for value in (coarse, start, along, edges, warp)]
        ctx.save_for_backward(*given)
        ctx.density_scale = density_scale
        grid, *rays, bends = (value.numpy() for value in given)
        weights, colour = look(Rays(*rays), bends, grid, density_scale)
        return torch.from_numpy(weights), torch.from_numpy(colour)

    @staticmethod
    def backward(ctx: Any, d_weights: Tensor, d_colour: Tensor) -> tuple[Tensor | None, ...]:
        from render.march_cpu import Rays, look_gradients

        grid, *rays, bends = (value.numpy() for value in ctx.saved_tensors)
        grads = (_array(d_weights), _array(d_colour))
        found = look_gradients(Rays(*rays), bends, grid, ctx.density_scale, *grads)
        return torch.from_numpy(found), None, None, None, None, None


class _March(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        start: Tensor,
        along: Tensor,
        edges: Tensor,
        density_scale: float,
        *grids: Tensor,
    ) -> tuple[Tensor, Tensor]:
        from render.march_cpu import HeadGrids, Rays, march

        given = [_plain(value) for value in (start, along, edges, *grids)]
        ctx.save_for_backward(*given)
        ctx.density_scale = density_scale
        arrays = [value.numpy() for value in given]
        features, opacity = march(Rays(*arrays[:3]), HeadGrids(*arrays[3:]), density_scale)
        return torch.from_numpy(features), torch.from_numpy(opacity)

    @staticmethod
    def backward(ctx: Any, d_features: Tensor, d_opacity: Tensor) -> tuple[Tensor | None, ...]:
        from render.march_cpu import HeadGrids, Rays, march_gradients

        arrays = [value.numpy() for value in ctx.saved_tensors]
        wanted = ctx.needs_input_grad[4:]
        d_start, d_along, d_grids = march_gradients(
            Rays(*arrays[:3]),
            HeadGrids(*arrays[3:]),
            ctx.density_scale,
            _array(d_features),
            _array(d_opacity),
            any(wanted[1:5]),
        )
        to_grids = (
            torch.from_numpy(grad) if want else None
            for grad, want in zip(d_grids, wanted, strict=True)
        )
        return torch.from_numpy(d_start), torch.from_numpy(d_along), None, None, *to_grids


def _plain(value: Tensor) -> Tensor:
    return value.detach().contiguous()


def _array(grad: Tensor) -> Array:
    return np.ascontiguousarray(grad.numpy())
