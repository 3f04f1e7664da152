"""A picture of the window, or of any rectangle around it, one bounded tile after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from render.guide import NOTHING, Guide
from render.person import Drive, Person, SamplingSettings
from render.rays import rotation_matrices

# Rays a tile: memory stays below 100 MB whatever the picture's size, and the arrays of a tile
# stay in the second-level cache of a laptop.
TILE = 8192
GPU_TILE = 1 << 18  # there a launch costs more than its arithmetic


@dataclass(frozen=True)
class Thrift:
    """Rays where they tell something (T. Whitted, "An improved illumination model for shaded
    display", CACM 1980, section 4).  pitch: pixels from one ray of the head to the next, each way,
    between which its picture is interpolated.  contrast: difference of colours, 0..1, among nine
    neighbouring rays, above which every pixel between them gets its own.  torso: as `pitch`, of
    the shoulders, without a second look."""

    pitch: int = 2
    contrast: float = 0.1
    torso: int = 1


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
    shape = points.shape[:2]
    flat = points.reshape(1, -1, 2)
    rectangle = head_rectangle(person, drive)[0]
    guide = Guide(person, drive, points, rectangle, sampling.coarse)
    consistency = person.consistency(drive.motion)
    head = _Head(person, drive, consistency, guide, rectangle, sampling.fine)
    torso = _Torso(person, drive, consistency, guide)
    if thrift is None:
        seen = head.at(flat[0])
    else:
        sparse = _sparse(head, points, thrift.pitch)
        seen = _enlarged(sparse, shape).reshape(-1, 4)
        fine = _busy(sparse, shape, thrift.contrast).flatten()
        seen[fine] = head.at(flat[0, fine])
    worn = None
    if thrift is not None and thrift.torso > 1:
        worn = _enlarged(_sparse(torso, points, thrift.torso), shape).reshape(-1, 4)
    out, through = seen[:, :3].contiguous(), 1.0 - seen[:, 3]
    replaced = None if background is None else background.reshape(-1, 3)
    for some in _tiles(torch.nonzero(through > NOTHING)[:, 0]):
        there = flat[0, some]
        clothes = torso.at(there) if worn is None else worn[some]
        wall = person.background(there[None])[0] if replaced is None else replaced[some]
        behind = clothes[:, :3] + (1.0 - clothes[:, 3:]) * wall
        out[some] += through[some, None] * behind
    return out.view(*shape, 3).clamp_(0.0, 1.0)


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
        consistency: Tensor,
        guide: Guide,
        rectangle: Tensor,  # [4] window rectangle outside which there is no head
        fine: int,
    ) -> None:
        self._person, self._drive, self._guide, self._fine = person, drive, guide, fine
        self._driven = person.head.drive(drive.expression, consistency)
        self._rectangle = rectangle

    def at(self, points: Tensor) -> Tensor:
        """Window points [N, 2] -> colour times opacity, and opacity [N, 4]."""
        out = torch.zeros(len(points), 4, device=points.device)
        left, top, right, bottom = self._rectangle
        u, v = points.unbind(-1)
        inside = (u > left) & (u < right) & (v > top) & (v < bottom)
        for some in _tiles(torch.nonzero(inside)[:, 0]):
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
        for some in _tiles(torch.nonzero(self._guide.torso(points[None]))[:, 0]):
            there = points[None, some]
            colour, opacity = self._person.shoulders(self._consistency, self._drive, there)
            out[some, :3], out[some, 3] = opacity[0, :, None] * colour[0], opacity[0]
        return out


def _sparse(layer: _Head | _Torso, points: Tensor, pitch: int) -> Tensor:
    """Looked at at every `pitch`-th of the points [H, W, 2] each way, [h, w, 4]."""
    few = thinned(points, pitch)
    return layer.at(few.reshape(-1, 2)).view(*few.shape[:2], 4)


def _enlarged(seen: Tensor, shape: torch.Size) -> Tensor:
    """[h, w, 4] -> [H, W, 4].  Colours are times opacity, so that no edge takes the colour of
    what was not drawn."""
    wide = _resized(seen, shape, "bicubic").clamp_(0.0, 1.0)  # bicubic weights overshoot
    return wide * (wide[..., 3:] > NOTHING)  # where nothing is, nothing stays


def _busy(seen: Tensor, shape: torch.Size, contrast: float) -> Tensor:
    """[H, W] where colours [h, w, 4] differ among neighbours by more than `contrast`."""
    planes = seen.permute(2, 0, 1)[None]
    high = functional.max_pool2d(planes, 3, 1, 1)
    low = -functional.max_pool2d(-planes, 3, 1, 1)
    spread = (high - low).amax(1)[0, ..., None]
    return _resized(spread, shape, "nearest")[..., 0] > contrast


def _resized(image: Tensor, shape: torch.Size, mode: str) -> Tensor:
    """[h, w, C] -> [H, W, C]"""
    corners = None if mode == "nearest" else False
    planes = image.permute(2, 0, 1)[None]
    wide = functional.interpolate(planes, size=tuple(shape), mode=mode, align_corners=corners)
    return wide[0].permute(1, 2, 0)


def _tiles(rows: Tensor) -> Iterator[Tensor]:
    size = GPU_TILE if rows.is_cuda else TILE
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
