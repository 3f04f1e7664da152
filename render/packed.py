"""Rays of different lengths behind one another in memory: samples only where something may be.

nerfacc's layout (Li et al. 2023, "NerfAcc: efficient sampling accelerates NeRFs", section 3):
sample s belongs to ray `rays[s]`, samples of a ray adjoin and go away from the camera.  `Plain` is
written in torch and runs anywhere; `Accelerated` is the same by nerfacc's CUDA kernels.

Letters: R rays, N samples of all rays together, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Samples:
    """rays: [N] int64.  start, end: [N] metres along the ray."""

    rays: Tensor
    start: Tensor
    end: Tensor


class Marching(Protocol):
    """Occupancy: [X, Y, Z] bool over a box [2, 3]."""

    def samples(
        self,
        occupied: Tensor,
        box: Tensor,
        origins: Tensor,  # [R, 3]
        directions: Tensor,  # [R, 3], unit
        bounds: tuple[Tensor, Tensor],  # near and far [R], as `box_bounds` has them
        step: float,  # metres
    ) -> Samples: ...

    def weights(self, density: Tensor, samples: Samples, rays: int) -> Tensor:
        """003 Eq. 2 and 3: density [N] in 1/m -> w [N]."""

    def sums(self, weights: Tensor, values: Tensor, samples: Samples, rays: int) -> Tensor:
        """[N], [N, C] -> [R, C]."""


class Plain:
    def samples(
        self,
        occupied: Tensor,
        box: Tensor,
        origins: Tensor,
        directions: Tensor,
        bounds: tuple[Tensor, Tensor],
        step: float,
    ) -> Samples:
        near, far = bounds
        most = int(torch.ceil((far - near).clamp(min=0.0).max() / step)) if len(near) else 0
        start = near[:, None] + step * torch.arange(most, device=near.device)  # [R, most]
        end = torch.minimum(start + step, far[:, None])
        middle = 0.5 * (start + end)
        place = origins[:, None] + middle[..., None] * directions[:, None]
        shape = torch.tensor(occupied.shape, device=near.device)
        cell = ((place - box[0]) / (box[1] - box[0]) * shape).long()
        cell = torch.minimum(cell.clamp(min=0), shape - 1)
        keep = occupied[cell.unbind(-1)] & (end > start)
        rays = torch.nonzero(keep)[:, 0]
        return Samples(rays, start[keep], end[keep])

    def weights(self, density: Tensor, samples: Samples, rays: int) -> Tensor:
        depth = density * (samples.end - samples.start)
        # A sum over all rays in double precision, less what it was where the ray begins.
        total = torch.cumsum(depth.double(), 0)
        counts = torch.bincount(samples.rays, minlength=rays)
        first = torch.cumsum(counts, 0) - counts
        before = torch.cat([total.new_zeros(1), total])[first][samples.rays]
        return torch.exp(-(total - depth - before)).float() * (1.0 - torch.exp(-depth))

    def sums(self, weights: Tensor, values: Tensor, samples: Samples, rays: int) -> Tensor:
        out = values.new_zeros(rays, values.shape[1])
        return out.index_add(0, samples.rays, weights[:, None] * values)


class Accelerated:
    """nerfacc's kernels, compiled with nvcc at their first use; imported then, too."""

    def __init__(self) -> None:
        self._grids: dict[tuple[int, ...], Any] = {}  # an estimator lists all its cells when made

    def samples(
        self,
        occupied: Tensor,
        box: Tensor,
        origins: Tensor,
        directions: Tensor,
        bounds: tuple[Tensor, Tensor],
        step: float,
    ) -> Samples:
        from nerfacc import OccGridEstimator

        shape = tuple(occupied.shape)
        if shape not in self._grids:
            grid = OccGridEstimator(box.flatten().cpu(), resolution=list(shape))
            self._grids[shape] = grid.to(origins.device)
        grid = self._grids[shape]
        grid.aabbs, grid.binaries = box.flatten()[None], occupied[None]
        rays, start, end = grid.sampling(
            origins, directions, t_min=bounds[0], t_max=bounds[1], render_step_size=step
        )
        return Samples(rays, start, end)

    def weights(self, density: Tensor, samples: Samples, rays: int) -> Tensor:
        from nerfacc import render_weight_from_density

        weights, _, _ = render_weight_from_density(
            samples.start, samples.end, density, ray_indices=samples.rays, n_rays=rays
        )
        return weights

    def sums(self, weights: Tensor, values: Tensor, samples: Samples, rays: int) -> Tensor:
        from nerfacc import accumulate_along_rays

        return accumulate_along_rays(weights, values, samples.rays, rays)
