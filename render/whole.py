"""A person's picture as one function of fixed shapes: what a GPU can compile, record and batch.

The same two stages as `render.picture`, without its shortcuts: every pixel is looked at, so that
no shape depends on what is seen, and no step waits for the host.  The shortcuts leave out what is
less than half a level of 255; a test holds the two together.

Letters: B frames, P pixels, h x w lattice points, S coarse samples a ray.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from avatar.camera import Pinhole
from render.guide import lattice_of, to_lattice
from render.interpolate import plane_samples
from render.person import Person, SamplingSettings
from render.rays import box_bounds, head_rays
from render.sampling import even_edges, weighted_edges_plain
from render.volume import clearness

# The grids that a sample is read from; those that the expression blends are small, and stay exact.
MARCHED = ("head.front", "head.top", "head.profile")  # by `render.march` alone
READ = (*MARCHED, "head.coarse", "torso.plane", "background.plane")

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class View:
    """Where a picture's rays go.  points: [P, 2] window.  lattice: [h, w, 2] window, where the
    coarse stage looks.  unit: [P, 2], the points in the lattice's -1..1."""

    points: Tensor
    lattice: Tensor
    unit: Tensor

    @classmethod
    def of(cls, points: Tensor) -> View:
        """points: [H, W, 2] window, a regular grid."""
        return cls(points.reshape(-1, 2), lattice_of(points), to_lattice(points).reshape(-1, 2))

    def tiles(self, rays: int) -> Iterator[View]:
        """Parts of at most so many rays, with the whole lattice each, of one size where that goes:
        a compiler's work is for one size."""
        size = -(-len(self.points) // -(-len(self.points) // rays))
        for start in range(0, len(self.points), size):
            part = slice(start, start + size)
            yield View(self.points[part], self.lattice, self.unit[part])


class Whole(nn.Module):
    """camera: [3], focal and centre, a buffer, so that many avatars' can be stacked.
    marched: the fine stage as one operator."""

    camera: Tensor

    def __init__(self, person: Person, sampling: SamplingSettings, marched: bool = False) -> None:
        super().__init__()
        self.person = person
        self.sampling = sampling
        self.marched = marched
        eye = person.camera
        device = person.mean.device
        self.register_buffer("camera", torch.tensor([eye.focal, *eye.centre], device=device))

    def forward(
        self,
        values: Tensor,  # [B, D] state rows
        points: Tensor,  # [P, 2]; these three as `View` has them
        lattice: Tensor,  # [h, w, 2]
        unit: Tensor,  # [P, 2]
        background: Tensor | None = None,  # [P, 3], in place of the learned one
    ) -> Tensor:  # [B, P, 3], 0..1, clipped
        person, sampling = self.person, self.sampling
        count = len(values)
        drive = person.drive(values)
        consistency = person.consistency(drive.motion)
        driven = person.head.drive(drive.expression, consistency)
        pose = (drive.rotation, drive.translation)
        eye = Pinhole(self.camera[0], (self.camera[1], self.camera[2]))  # type: ignore[arg-type]
        rows, columns = lattice.shape[:2]
        rays = head_rays(eye, lattice.reshape(1, -1, 2).expand(count, -1, -1), *pose)
        weights = person.coarse_look_plain(driven, rays, sampling.coarse)[1]
        weights = weights.reshape(count, rows, columns, sampling.coarse)
        guide = plane_samples(weights, unit[None].expand(count, -1, -1))
        seen = points[None].expand(count, -1, -1)
        rays = head_rays(eye, seen, *pose)
        edges = even_edges(*box_bounds(person.head.box, *rays), sampling.coarse)
        edges = weighted_edges_plain(edges, guide, sampling.fine)
        fine = person.fine_features_marched if self.marched else person.fine_features_plain
        features, opacity = fine(driven, rays, edges)
        clear = clearness(opacity)
        head = person.head.shade(driven, features, opacity, rays[1]) * clear[..., None]
        opacity = opacity * clear
        replaced = None if background is None else background[None]
        behind, _ = person.behind(consistency, drive, seen, replaced)
        return (head + (1.0 - opacity[..., None]) * behind).clamp(0.0, 1.0)


def halved(person: Person, grids: Sequence[str] = READ) -> Person:
    """A copy in half precision, which shares what stays as it is: networks compute with the matrix
    units of bfloat16, and these grids are half the bytes to move.  Coordinates and sums stay exact.

    Nothing reads a half grid well but what a compiler makes of `render.gathered`, and the march.
    """
    person = _shallow(person)
    for name in ("head", "torso", "background"):
        part = _shallow(getattr(person, name))
        setattr(person, name, part)
        for grid in (path.partition(".")[2] for path in grids if path.startswith(f"{name}.")):
            values = getattr(part, grid)
            setattr(part, grid, nn.Parameter(values.detach().half(), requires_grad=False))
    person.head.colour, person.torso.colour = map(
        _shallow, (person.head.colour, person.torso.colour)
    )
    person.compute_in(torch.bfloat16)
    return person


def _shallow(module: Module) -> Module:
    """The same tensors and parts in a module whose attributes are its own."""
    other = copy(module)
    for kind in ("_parameters", "_buffers", "_modules"):
        object.__setattr__(other, kind, dict(getattr(module, kind)))
    return other
