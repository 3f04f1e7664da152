"""Where in a head's box something may be seen, and a picture's head by marching through that.

The other way to look for what matters: `render.guide` looks coarsely along every few rays, this
looks once at every cell of the box, for all frames of one avatar together, and then takes steps of
one length through the cells that are not empty (Mueller et al. 2022, "Instant neural graphics
primitives", appendix E).

Letters: B frames, R rays a frame, N samples of all rays together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from render.fields.head import DrivenHead
from render.packed import Accelerated, Marching, Plain
from render.person import Drive, Person
from render.rays import box_bounds, head_rays


@dataclass(frozen=True)
class OccupancySettings:
    """cells: along x, y and z.  step: metres.  nothing: opacity of one step below which a cell is
    empty."""

    cells: tuple[int, int, int] = (64, 80, 64)
    step: float = 0.003
    nothing: float = 1 / 512


def marching(device: torch.device) -> Marching:
    """nerfacc's kernels on a GPU, plain torch elsewhere."""
    return Accelerated() if device.type == "cuda" else Plain()


@torch.no_grad()
def occupancy(person: Person, driven: DrivenHead, settings: OccupancySettings) -> Tensor:
    """[X, Y, Z] bool: cells in which any of the frames shows something, with their neighbours."""
    device = person.head.box.device
    axes = [torch.linspace(-1.0, 1.0, n, device=device) for n in settings.cells]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).view(1, -1, 3)
    seen = torch.zeros(points.shape[1], dtype=torch.bool, device=device)
    for frame in range(len(driven.code)):
        one = DrivenHead(*(part[frame : frame + 1] for part in vars(driven).values()))
        density, _ = person.head.fine_samples(one, person.head.bend(one, points))
        opaque = 1.0 - torch.exp(-density[0] * settings.step)
        seen |= opaque > settings.nothing
    grid = seen.view(1, 1, *settings.cells).float()
    return functional.max_pool3d(grid, 3, 1, 1)[0, 0] > 0.5


@torch.no_grad()
def marched_head(
    person: Person,
    driven: DrivenHead,
    drive: Drive,  # of one frame, B = 1
    points: Tensor,  # [1, R, 2] window
    occupied: Tensor,  # [X, Y, Z] from `occupancy`
    settings: OccupancySettings,
    march: Marching,
) -> tuple[Tensor, Tensor]:
    """Head times opacity [1, R, 3], opacity [1, R]: what `Person.guided_head` gives, by packed
    samples."""
    head, rays = person.head, points.shape[1]
    origins, directions = head_rays(person.camera, points, drive.rotation, drive.translation)
    near, far = box_bounds(head.box, origins, directions)
    origin = origins[0].expand(rays, 3).contiguous()
    samples = march.samples(
        occupied, head.box, origin, directions[0].contiguous(), (near[0], far[0]), settings.step
    )
    middle = 0.5 * (samples.start + samples.end)
    place = origin[samples.rays] + middle[:, None] * directions[0, samples.rays]
    bent = head.bend(driven, head.to_box(place)[None])
    density, features = head.fine_samples(driven, bent)
    weights = march.weights(density[0], samples, rays)
    summed = march.sums(weights, features[0], samples, rays)[None]
    opacity = march.sums(weights, torch.ones_like(weights[:, None]), samples, rays)[None, :, 0]
    return head.shade(driven, summed, opacity, directions), opacity
