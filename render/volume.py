"""Volume rendering, 003 Eq. 2 and 3: densities along a ray -> weights -> one value a ray.

With sigma constant on each interval of length d_i, Eq. 3 is T_i = exp(-sum_{j<i} sigma_j d_j),
and Eq. 2 is sum_i w_i c_i with w_i = T_i (1 - exp(-sigma_i d_i)).
"""

from __future__ import annotations

import torch
from torch import Tensor

_HAZE = (0.02, 0.07)  # opacity: nothing is drawn of what has less, all of what has more


def ray_weights(
    density: Tensor,  # [B, R, S], 1/m
    edges: Tensor,  # [B, R, S + 1], m
) -> Tensor:  # [B, R, S]
    """w_i of each interval, by nerfacc's batched compositing (on CPU and GPU alike); under
    torch.compile by the twin, which it melts into its neighbours."""
    if torch.compiler.is_compiling():
        return ray_weights_plain(density, edges)
    from nerfacc import render_weight_from_density

    weights, _, _ = render_weight_from_density(edges[..., :-1], edges[..., 1:], density)
    return weights


def ray_weights_plain(density: Tensor, edges: Tensor) -> Tensor:
    """The twin of `ray_weights`, written out from Eq. 3."""
    optical_depth = density * (edges[..., 1:] - edges[..., :-1])
    before = torch.cumsum(optical_depth, -1) - optical_depth
    return torch.exp(-before) * (1.0 - torch.exp(-optical_depth))


def accumulate(
    weights: Tensor,  # [B, R, S]
    values: Tensor,  # [B, R, S, C]
) -> Tensor:  # [B, R, C]
    """Eq. 2: the weighted sum along each ray."""
    if values.is_cuda or torch.compiler.is_compiling():
        # A matrix product a ray is slow there, and no compiler melts it into its neighbours.
        return (weights[..., None] * values).sum(-2)
    return (weights[..., None, :] @ values)[..., 0, :]


def clearness(opacity: Tensor) -> Tensor:
    """[...] -> what is drawn of a layer, 0..1: faint opacity far from a surface is what the fit
    was not sure of, and it moves with the person, so that the wall behind flickers."""
    low, high = _HAZE
    return ((opacity - low) / (high - low)).clamp(0.0, 1.0)
