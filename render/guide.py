"""A coarse look at every few pixels, which says where to look closely at those between.

The coarse stage of 003 (section 3.2) needs no ray of its own for every pixel: its grid's cells are
several pixels wide, and its weights change as slowly from ray to ray.  So it is run on a lattice,
and a pixel's fine samples go where the weights of the lattice points around it say; where those
around see nothing of the head, or of the torso, none is looked for.

Letters: H x W pixels, h x w lattice points, S coarse samples a ray, N pixels of a tile.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

from render.enlarge import NOTHING
from render.fields.head import DrivenHead
from render.interpolate import plane_samples
from render.person import Drive, Person

PITCH = 1 / 64  # window sides between lattice points, about a cell of the head's coarse grid


class Guide:
    """For the pixels of one picture of one state.  A picture whose pixels are no finer than the
    lattice has a lattice point for each, and is what the two stages by themselves would give."""

    def __init__(
        self,
        person: Person,
        drive: Drive,
        driven: DrivenHead,  # by that
        consistency: Tensor,  # [1, consistency]
        points: Tensor,  # [H, W, 2] window points, a regular grid
        rectangle: Tensor,  # [4] window rectangle outside which there is no head
        samples: int,
    ) -> None:
        height, width = points.shape[:2]
        lattice = lattice_of(points)
        self._corner, self._size = _extent(points)
        flat = lattice.reshape(1, -1, 2)
        margin = 1.5 * max(_pitch(lattice[0, :, 0]), _pitch(lattice[:, 0, 1]))
        u, v = flat[0].unbind(-1)
        left, top, right, bottom = rectangle
        near = (u > left - margin) & (u < right + margin)
        near &= (v > top - margin) & (v < bottom + margin)
        weights = flat.new_zeros(flat.shape[1], samples)
        weights[near] = person.head_guide(driven, drive, flat[:, near], samples)[0]
        _, torso = person.shoulders(consistency, drive, flat)
        shape = lattice.shape[:2]
        self.weights = weights.view(1, *shape, samples)
        every = shape == (height, width)
        self._head = _widened(weights.sum(-1).view(shape), every)
        self._torso = _widened(torso.view(shape), every)

    def of(self, points: Tensor) -> Tensor:
        """Window points [1, N, 2] -> coarse weights [1, N, S]."""
        return plane_samples(self.weights, self._unit(points))

    def head(self, points: Tensor) -> Tensor:
        """Where there may be something of the head: [N] for window points [1, N, 2]."""
        return plane_samples(self._head, self._unit(points))[0, :, 0] > NOTHING

    def torso(self, points: Tensor) -> Tensor:
        """The same of the torso."""
        return plane_samples(self._torso, self._unit(points))[0, :, 0] > NOTHING

    def _unit(self, points: Tensor) -> Tensor:
        return (points - self._corner) * (2.0 / self._size) - 1.0


def lattice_of(points: Tensor) -> Tensor:
    """The lattice [h, w, 2] for pixels at window points [H, W, 2]."""
    x, y = points[0, :, 0], points[:, 0, 1]
    return torch.stack(torch.meshgrid(_spread(x), _spread(y), indexing="xy"), dim=-1)


def to_lattice(points: Tensor) -> Tensor:
    """Window points of pixels [H, W, 2] -> -1..1, the lattice's corners at -1 and 1."""
    corner, size = _extent(points)
    return (points - corner) * (2.0 / size) - 1.0


def _extent(points: Tensor) -> tuple[Tensor, Tensor]:
    """The first pixel's point [2], and from there to the last one's [2]."""
    return points[0, 0], (points[-1, -1] - points[0, 0]).clamp(min=1e-9)


def _spread(pixels: Tensor) -> Tensor:
    """Lattice coordinates along a row of pixels, the first and the last among them."""
    count = 1 + int(torch.ceil((pixels[-1] - pixels[0]) / PITCH - 1e-4))
    count = max(2, min(count, len(pixels)))
    share = torch.linspace(0.0, 1.0, count, device=pixels.device)
    return pixels[0] + (pixels[-1] - pixels[0]) * share


def _pitch(line: Tensor) -> float:
    return float((line[-1] - line[0]) / max(len(line) - 1, 1))


def _widened(opacity: Tensor, every: bool) -> Tensor:
    """[h, w] -> [1, h, w, 1]: the largest around each point, unless every pixel is one."""
    if not every:
        opacity = functional.max_pool2d(opacity[None, None], 3, 1, 1)[0, 0]
    return opacity[None, ..., None]
