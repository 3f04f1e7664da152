"""The fine stage of a head as one operator of torch's: what compilers, recordings and torch.vmap
take as a whole.  On a GPU it is `render.march_gpu`, elsewhere the same in plain torch, its twin.

Letters: B frames, G grids (B, or 1 shared by all frames), R rays a frame, S samples a ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

from render.gathered import plane_samples_gathered, volume_samples_gathered
from render.volume import ray_weights_plain


@torch.library.custom_op("facewire::march", mutates_args=())
def march(
    grids: Sequence[Tensor],  # warp, coarse, front, top, profile, blend, [G, ..., channels]
    start: Tensor,  # [B, 3] where the rays begin, box units
    along: Tensor,  # [B, R, 3] box units a metre
    edges: Tensor,  # [B, R, S + 1] metres
    density_scale: float,
) -> Tensor:  # [B, R, C + blend + 1]: features accumulated along each ray, and its opacity
    if edges.is_cuda:
        from render.march_gpu import march as kernel

        return kernel(list(grids), start, along, edges, density_scale)
    warp, coarse, front, top, profile, blend = grids
    frames, rays, ends = edges.shape
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    points = (start[:, None, None] + middle[..., None] * along[:, :, None]).flatten(1, 2)
    points = points + volume_samples_gathered(warp, points)
    x, y, z = points.unbind(-1)
    features = (
        plane_samples_gathered(front, torch.stack([x, y], -1))
        + plane_samples_gathered(top, torch.stack([x, z], -1))
        + plane_samples_gathered(profile, torch.stack([y, z], -1))
    )
    logit = volume_samples_gathered(coarse[..., :1], points)[..., 0] + features[..., 0]
    density = (functional.softplus(logit) * density_scale).view(frames, rays, ends - 1)
    weights = ray_weights_plain(density, edges)
    blended = plane_samples_gathered(blend, torch.stack([x, y], -1))
    sampled = torch.cat([features, blended], -1).view(*weights.shape, -1)
    summed = (weights[..., None] * sampled).sum(-2)
    return torch.cat([summed, weights.sum(-1, keepdim=True)], -1)


@march.register_fake
def _(grids: Sequence[Tensor], start: Tensor, along: Tensor, edges: Tensor, scale: float) -> Tensor:
    channels = grids[2].shape[-1] + grids[5].shape[-1] + 1
    return edges.new_empty(*edges.shape[:2], channels)


@march.register_vmap
def _(
    info: Any,
    dims: Any,
    grids: Sequence[Tensor],  # [N, G, ...] or [G, ...]
    start: Tensor,
    along: Tensor,
    edges: Tensor,
    scale: float,
) -> tuple[Tensor, int]:
    """N persons of B frames are N * B frames, each with its person's grids."""
    count = info.batch_size

    def many(values: Tensor, dim: int | None) -> Tensor:
        return values.expand(count, *values.shape) if dim is None else values.movedim(dim, 0)

    rays = [many(value, dim) for value, dim in zip((start, along, edges), dims[1:4], strict=True)]
    frames = rays[0].shape[1]
    flat = [
        many(grid, dim).expand(-1, frames, *[-1] * (grid.dim() - (dim is not None) - 1))
        for grid, dim in zip(grids, dims[0], strict=True)
    ]
    out = march([grid.flatten(0, 1) for grid in flat], *(ray.flatten(0, 1) for ray in rays), scale)
    return out.view(count, frames, *out.shape[1:]), 0
