"""Pictures of an avatar: any size and aspect, before any background, one state row at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.avatar import Avatar
from avatar.errors import InputError, MissingError, StateError
from render.allocator import keep_memory
from render.crowd import CrowdSettings, Draw, prepared
from render.person import SamplingSettings
from render.picture import Thrift, picture, pixel_points
from render.side_by_side import side_by_side
from render.tensors import fields_of
from render.whole import View

Array = NDArray[Any]
Background = str | tuple[int, int, int] | Array

SMALLEST, LARGEST = 16, 4096
# Neighbours share the first stage, so that samples of the second are where likeness is to be had.
SAMPLING = SamplingSettings(16, 12)
_KEPT = 1 << 20  # pixels of a wall that is kept for the next picture: 12 MB
_PASSES = 4  # picture sizes that stay prepared
_BLUR_CELLS = 12  # across the window: no detail of a room survives


@dataclass(frozen=True)
class RenderSettings:
    """whole: by the compiled pass of `render.crowd`, one picture size after another prepared at
    its first frame.  None: on a GPU, for the learned background.  sampling: None: as that pass has
    it, or `SAMPLING`.  thrift: of pictures that are not drawn whole, which pixels cast rays of
    their own; None: all."""

    whole: bool | None = None
    sampling: SamplingSettings | None = None
    thrift: Thrift | None = Thrift()


class Portrait:
    """An avatar ready to be drawn.  device: "auto", "cpu" or "cuda"."""

    def __init__(
        self, avatar: Avatar, device: str = "auto", settings: RenderSettings = RenderSettings()
    ) -> None:
        keep_memory()
        self.settings = settings
        self.device = chosen_device(device)
        self.person = fields_of(avatar).to(self.device)
        self._numbers = avatar.layout.width
        whole = settings.whole
        self._whole = self.device.type == "cuda" if whole is None else whole
        self._passes: dict[tuple[int, int, str], Draw] = {}
        # Of the picture size drawn last: where its pixels are, and the wall behind them.
        self._grid: tuple[tuple[int, int, str], tuple[Tensor, tuple[int, int]]] | None = None
        self._wall: tuple[Tensor, Tensor] | None = None

    def render(
        self,
        values: Array,  # [D] one state row, in the layout's order and units
        width: int,
        height: int,
        fit: str = "contain",
        background: Background = "learned",
        settings: RenderSettings | None = None,
    ) -> NDArray[np.uint8]:
        """[height, width, 3] RGB.  Rays are cast at that size: nothing is scaled up.

        fit: "contain" shows the avatar's square whole, black beside it; "cover" fills the picture
        and crops the square; "extend" shows the square whole and what the fields hold beyond it.
        settings: of this picture, in place of the portrait's own (see `render.ladder`).
        background: "learned", "blur", a colour (r, g, b) of 0..255, or an RGB picture [h, w, 3].
        Raises InputError for a size or background that cannot be, StateError for bad values.
        """
        row = np.asarray(values, np.float32)
        if row.shape != (self._numbers,) or not np.all(np.isfinite(row)):
            raise StateError(
                f"a state of shape {row.shape} with {int((~np.isfinite(row)).sum())} numbers that "
                f"are not finite cannot be rendered",
                f"Give {self._numbers} finite numbers in the order of the avatar's layout.",
            )
        points, inside = self._seen_at(width, height, fit)
        if self._whole and isinstance(background, str) and background == "learned":
            seen = self._at_once(row, points, (width, height, fit))
        else:
            seen = self._in_tiles(row, points, background, settings or self.settings)
        out = np.zeros((height, width, 3), np.uint8)
        drawn = (seen * 255.0 + 0.5).to(torch.uint8).cpu().numpy()
        top, left = inside
        out[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
        return out

    def _seen_at(self, width: int, height: int, fit: str) -> tuple[Tensor, tuple[int, int]]:
        """As `_points`, of which one picture after another asks for the same."""
        shape = width, height, fit
        grid = self._grid
        if grid is None or grid[0] != shape:
            self._grid = grid = shape, _points(width, height, fit)
        return grid[1]

    def _in_tiles(
        self, row: Array, points: Tensor, background: Background, settings: RenderSettings
    ) -> Tensor:
        drive = self.person.drive(torch.from_numpy(row)[None].to(self.device))
        behind = self._background(background, points)
        return picture(
            self.person,
            drive,
            points.to(self.device),
            settings.sampling or SAMPLING,
            behind,
            settings.thrift,
        )

    @torch.no_grad()
    def _at_once(self, row: Array, points: Tensor, shape: tuple[int, int, str]) -> Tensor:
        values = torch.from_numpy(row)[None].to(self.device)
        if shape not in self._passes:
            while len(self._passes) >= _PASSES:
                del self._passes[next(iter(self._passes))]
            settings = CrowdSettings(half=self.device.type == "cuda")
            if self.settings.sampling is not None:
                settings = replace(settings, sampling=self.settings.sampling)
            view = View.of(points.to(self.device))
            self._passes[shape] = prepared([self.person], view, values, settings)[0]
        return self._passes[shape](values)[0].view(*points.shape[:2], 3)

    def render_all(
        self,
        rows: Iterable[Array],  # [D] state rows
        width: int,
        height: int,
        fit: str = "contain",
        background: Background = "learned",
    ) -> Iterator[NDArray[np.uint8]]:
        """`render` for many rows, in their order; on a CPU as many at once as it has cores."""

        def picture_of(row: Array) -> NDArray[np.uint8]:
            return self.render(row, width, height, fit, background)

        return side_by_side(picture_of, rows, 1 if self.device.type == "cuda" else None)

    def _background(self, background: Background, points: Tensor) -> Tensor | None:
        height, width = points.shape[:2]
        if isinstance(background, str):
            if background == "learned":
                return self._learned(points)
            if background == "blur":
                return self._blurred(points)
            raise InputError(
                f"the background {background!r} is not known",
                'Choose "learned", "blur", a colour or a picture.',
            )
        if isinstance(background, tuple):
            colour = torch.tensor(background, dtype=torch.float32, device=self.device) / 255.0
            return colour.expand(height, width, 3)
        if background.ndim != 3 or background.shape[2] != 3 or background.dtype != np.uint8:
            raise InputError(
                f"a background of shape {background.shape} and type {background.dtype} is no "
                "picture",
                "Give RGB as uint8 [height, width, 3].",
            )
        return _covering(background, width, height).to(self.device)

    @torch.no_grad()
    def _learned(self, points: Tensor) -> Tensor | None:
        """None where it is better looked up tile by tile than kept."""
        if points.shape[0] * points.shape[1] > _KEPT:
            return None
        wall = self._wall
        if wall is None or wall[0] is not points:
            seen = self.person.background(points.to(self.device).reshape(1, -1, 2))
            self._wall = wall = points, seen.view(*points.shape[:2], 3)
        return wall[1]

    def _blurred(self, points: Tensor) -> Tensor:
        plane = self.person.background.plane.float().permute(0, 3, 1, 2)
        small = torch.nn.functional.adaptive_avg_pool2d(plane, _BLUR_CELLS)
        grid = points.to(self.device)[None] * 2.0 - 1.0
        soft = torch.nn.functional.grid_sample(
            small, grid, mode="bicubic", padding_mode="border", align_corners=False
        )
        return soft[0].permute(1, 2, 0)


def chosen_device(device: str) -> torch.device:
    """The torch device for "auto", "cpu" or "cuda".  Raises MissingError where CUDA is not."""
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingError(
            "there is no CUDA device here",
            "Use --device cpu, or see what is missing with: facewire doctor",
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def _points(width: int, height: int, fit: str) -> tuple[Tensor, tuple[int, int]]:
    """Window points of the pixels that are drawn, and the (top, left) where they go."""
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise InputError(
            f"a picture of {width}x{height} pixels cannot be rendered",
            f"Sizes go from {SMALLEST}x{SMALLEST} to {LARGEST}x{LARGEST}.",
        )
    if fit == "contain":
        side = min(width, height)
        corner = ((height - side) // 2, (width - side) // 2)
        return pixel_points(0.0, 0.0, 1.0, 1.0, side, side), corner
    if fit not in ("cover", "extend"):
        raise InputError(f"fit {fit!r} is not known", "Choose contain, cover or extend.")
    side = max(width, height) if fit == "cover" else min(width, height)
    x, y = 0.5 * width / side, 0.5 * height / side
    return pixel_points(0.5 - x, 0.5 - y, 0.5 + x, 0.5 + y, width, height), (0, 0)


def _covering(image: Array, width: int, height: int) -> Tensor:
    """A picture scaled and cropped in the middle to fill width x height, 0..1."""
    from PIL import Image, ImageOps

    fitted = ImageOps.fit(Image.fromarray(image), (width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(fitted, np.float32) / 255.0)
