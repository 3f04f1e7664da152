"""A picture of the window, or of any rectangle around it, one bounded tile after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from render.enlarge import NOTHING, busy, enlarged
from render.fields.head import DrivenHead
from render.guide import Guide
from render.person import Drive, Person, SamplingSettings
from render.rays import rotation_matrices

# Rays a tile: memory stays below 100 MB whatever the picture's size, and the arrays of a tile
# stay in the second-level cache of a laptop.
TILE = 8192
GPU_TILE = 1 << 18  # there a launch costs more than its arithmetic


@dataclass(frozen=True)
class Thrift:
    """Rays where they tell something (T. Whitted, "An improved illumination model for shaded
    display", CACM 1980, section 4).  head, torso: pixels from one ray to the next, each way,
    between which the picture of each is interpolated.  contrast: difference of colours, 0..1,
    among nine neighbouring rays, above which every pixel between them gets its own; None: never."""

    head: int = 2
    torso: int = 2
    contrast: float | None = 0.1


def pixel_points(
    left: float, top: float, right: float, bottom: float, width: int, height: int
) -> Tensor:
    """Centres of the pixels of a rectangle of the window, [height, width, 2]."""
    x = left + (torch.arange(width) + 0.5) * ((right - left) / width)
    y = top + (torch.arange(height) + 0.5) * ((bottom - top) / height)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def head_rectangle(person: Person, drive: Drive) -> Tensor:
    """Window rectangle (left, top, right, bottom) [B, 4] that holds the head's box."""
    box = person.head.box
    corners = torch.cartesian_prod(box[:, 0], box[:, 1], box[:, 2])  # [8, 3]
    matrices = rotation_matrices(drive.rotation)
    posed = corners @ matrices.transpose(1, 2) + drive.translation[:, None]
    # A box that reaches behind the camera is seen everywhere.
    depth = (-posed[..., 2]).clamp(min=1e-3)
    u = person.camera.centre[0] + person.camera.focal * posed[..., 0] / depth
    v = person.camera.centre[1] - person.camera.focal * posed[..., 1] / depth
    return torch.stack([u.amin(1), v.amin(1), u.amax(1), v.amax(1)], dim=-1)


@torch.no_grad()
def picture(
    person: Person,
    drive: Drive,  # of one frame, B = 1
    points: Tensor,  # [H, W, 2] window, a regular grid
    sampling: SamplingSettings,
    background: Tensor | None = None,  # [H, W, 3], in place of the learned one
    thrift: Thrift | None = None,
) -> Tensor:  # [H, W, 3], 0..1, clipped
    """003 Eq. 2 for every pixel, by rays of its own; the coarse stage is shared by neighbours
    (`render.guide`), and nothing is cast where it says that there is nothing.

    thrift: not every pixel gets a ray of its own to the head, or to the shoulders.  All still see
    the wall by themselves.
    """
    thrift = thrift or Thrift(1, 1)
    flat = points.reshape(-1, 2)
    rectangle = head_rectangle(person, drive)[0]
    consistency = person.consistency(drive.motion)
    driven = person.head.drive(drive.expression, consistency)
    guide = Guide(person, drive, driven, consistency, points, rectangle, sampling.coarse)
    head = _Head(person, drive, driven, guide, rectangle, sampling.fine)
    torso = _Torso(person, drive, consistency, guide)
    seen = _looked_at(head, points, thrift.head, thrift.contrast)
    through = 1.0 - seen[:, 3]
    worn = _looked_at(torso, points, thrift.torso, thrift.contrast, through > NOTHING)
    replaced = None if background is None else background.reshape(-1, 3)
    out = torch.empty(len(flat), 3, device=points.device)
    for some in _tiles(len(flat), flat.is_cuda):
        wall = person.background(flat[None, some])[0] if replaced is None else replaced[some]
        behind = torch.addcmul(worn[some, :3], 1.0 - worn[some, 3:], wall)
        torch.addcmul(seen[some, :3], through[some, None], behind, out=out[some])
    return out.view(points.shape[:2] + (3,)).clamp_(0.0, 1.0)


def thinned(points: Tensor, pitch: int) -> Tensor:
    """A grid over the same rectangle with a pitch-th of the points [H, W, 2] each way, rounded up,
    in the middles of its own pixels."""
    if pitch == 1:
        return points
    height, width = (-(-n // pitch) for n in points.shape[:2])
    half = 0.5 * (points[1, 1] - points[0, 0])  # of a pixel
    left, top = (points[0, 0] - half).tolist()
    right, bottom = (points[-1, -1] + half).tolist()
    return pixel_points(left, top, right, bottom, width, height).to(points.device)


class _Head:
    """A head of one state, to be looked at anywhere."""

    def __init__(
        self,
        person: Person,
        drive: Drive,
        driven: DrivenHead,
        guide: Guide,
        rectangle: Tensor,  # [4] window rectangle outside which there is no head
        fine: int,
    ) -> None:
        self._person, self._drive, self._guide, self._fine = person, drive, guide, fine
        self._driven = driven
        self._rectangle = rectangle

    def at(self, points: Tensor) -> Tensor:
        """Window points [N, 2] -> colour times opacity, and opacity [N, 4]."""
        out = torch.zeros(len(points), 4, device=points.device)
        left, top, right, bottom = self._rectangle
        u, v = points.unbind(-1)
        inside = (u > left) & (u < right) & (v > top) & (v < bottom)
        rows = torch.nonzero(inside)[:, 0]
        for tile in _tiles(len(rows), points.is_cuda):
            some = rows[tile]
            some = some[self._guide.head(points[None, some])]
            there = points[None, some]
            seen, opacity = self._person.guided_head(
                self._driven, self._drive, there, self._guide.of(there), self._fine
            )
            out[some, :3], out[some, 3] = seen[0], opacity[0]
        return out


class _Torso:
    """The same of its shoulders."""

    def __init__(self, person: Person, drive: Drive, consistency: Tensor, guide: Guide) -> None:
        self._person, self._drive, self._guide = person, drive, guide
        self._consistency = consistency

    def at(self, points: Tensor) -> Tensor:
        """Window points [N, 2] -> colour times opacity, and opacity [N, 4]."""
        out = torch.zeros(len(points), 4, device=points.device)
        rows = torch.nonzero(self._guide.torso(points[None]))[:, 0]
        for tile in _tiles(len(rows), points.is_cuda):
            some = rows[tile]
            there = points[None, some]
            colour, opacity = self._person.shoulders(self._consistency, self._drive, there)
            out[some, :3], out[some, 3] = opacity[0, :, None] * colour[0], opacity[0]
        return out


def _looked_at(
    layer: _Head | _Torso,
    points: Tensor,  # [H, W, 2]
    pitch: int,
    contrast: float | None,
    where: Tensor | None = None,  # [H * W]: where it can be seen at all
) -> Tensor:  # [H * W, 4]
    """At every `pitch`-th point each way, and at all where those differ."""
    flat = points.reshape(-1, 2)
    if pitch == 1:
        fine = where if where is not None else points.new_ones(len(flat), dtype=torch.bool)
        seen = torch.zeros(len(flat), 4, device=points.device)
    else:
        few = thinned(points, pitch)
        sparse = layer.at(few.reshape(-1, 2)).view(*few.shape[:2], 4)
        seen = enlarged(sparse, points.shape[:2]).view(-1, 4)
        if contrast is None:
            return seen
        fine = busy(sparse, points.shape[:2], contrast).flatten()
        if where is not None:
            fine &= where
    fine = torch.nonzero(fine)[:, 0]
    seen[fine] = layer.at(flat[fine])
    return seen


def _tiles(count: int, on_gpu: bool) -> Iterator[slice]:
    size = GPU_TILE if on_gpu else TILE
    for start in range(0, count, size):
        yield slice(start, start + size)
