"""Where along a ray to look: evenly first, then where the coarse weights are.

`t` is a distance along the ray in metres, `edges` the ends of adjoining intervals.  The two
stages are Mildenhall et al. 2020, section 5.2, which 003 section 3.2 takes over.
"""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 0.01  # weight spread over a whole ray, so that what the coarse stage missed is looked at


def even_edges(
    near: Tensor,  # [B, R]
    far: Tensor,  # [B, R]
    samples: int,
    jitter: Tensor | None = None,  # [B, R], 0..1
) -> Tensor:  # [B, R, samples + 1]
    """Evenly spaced edges; with `jitter`, all of a ray shifted by up to one interval."""
    steps = torch.linspace(0.0, 1.0, samples + 1, device=near.device)
    if jitter is not None:
        steps = steps + (jitter - 0.5)[..., None] / samples
    return near[..., None] + (far - near).clamp(min=0.0)[..., None] * steps


@torch.no_grad()
def weighted_edges(
    edges: Tensor,  # [B, R, S + 1]
    weights: Tensor,  # [B, R, S], of the intervals, not necessarily adding to 1
    samples: int,
    jitter: Tensor | None = None,  # [B, R], 0..1
) -> Tensor:  # [B, R, samples + 1]
    """Edges that share the weight and `FLOOR` evenly: the inverse of the piecewise linear CDF.
    An empty ray gets even edges.  No gradient flows through."""
    if edges.is_cuda or torch.compiler.is_compiling():
        return weighted_edges_plain(edges, weights, samples, jitter)
    from render import sampling_cpu as kernels

    arrays = (edges.contiguous().numpy(), weights.contiguous().numpy())
    shift = None if jitter is None else jitter.contiguous().numpy()
    return torch.from_numpy(kernels.weighted_edges(*arrays, samples, shift, FLOOR))


@torch.no_grad()
def weighted_edges_plain(
    edges: Tensor, weights: Tensor, samples: int, jitter: Tensor | None = None
) -> Tensor:
    """The twin of `weighted_edges`, in torch."""
    share = weights + FLOOR / weights.shape[-1]
    share = share / share.sum(-1, keepdim=True)
    cdf = torch.cumsum(share, -1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], dim=-1)
    u = torch.linspace(0.0, 1.0, samples + 1, device=edges.device).expand(
        *edges.shape[:-1], samples + 1
    )
    if jitter is not None:
        u = (u + (jitter - 0.5)[..., None] / samples).clamp(0.0, 1.0)
    if torch.compiler.is_compiling():
        return _shared(edges, cdf, u)
    right = torch.searchsorted(cdf, u.contiguous(), right=True).clamp(1, cdf.shape[-1] - 1)
    c0, c1 = cdf.gather(-1, right - 1), cdf.gather(-1, right)
    e0, e1 = edges.gather(-1, right - 1), edges.gather(-1, right)
    fraction = ((u - c0) / (c1 - c0).clamp(min=1e-8)).clamp(0.0, 1.0)
    return e0 + fraction * (e1 - e0)


def _shared(
    edges: Tensor,  # [B, R, S + 1]
    cdf: Tensor,  # [B, R, S + 1], at the edges
    u: Tensor,  # [B, R, N]
) -> Tensor:  # [B, R, N]
    """The same without a search: an interval is passed whole, in part or not at all.  A sum over
    the intervals is one kernel to a compiler, which a search and gathers are not."""
    width = (cdf[..., 1:] - cdf[..., :-1]).clamp(min=1e-8)
    passed = ((u[..., None] - cdf[..., None, :-1]) / width[..., None, :]).clamp(0.0, 1.0)
    return edges[..., :1] + (passed * (edges[..., 1:] - edges[..., :-1])[..., None, :]).sum(-1)
