"""Where one looks at what a camera saw, to find the state that renders it best.

Letters: F frames, S the pictures' side in pixels, M the masks', R rays a frame, K places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


class Looks:
    """What the camera saw, looked at where it tells most: at edges, of the person alone."""

    def __init__(
        self,
        images: NDArray[np.uint8],  # [F, S, S, 3]
        masks: NDArray[np.uint8],  # [F, M, M]
        generator: torch.Generator,
        boxes: Array | None = None,
        oftener: Sequence[float] = (),
    ) -> None:
        """boxes: [F, K, 4], places of the window; oftener: [K], how many times as often as
        elsewhere they are looked at.  Where they overlap the last one holds."""
        self._images = torch.from_numpy(np.ascontiguousarray(images))
        self._masks = torch.from_numpy(np.ascontiguousarray(masks))
        self._generator = generator
        self._oftener = tuple(oftener)
        size = images.shape[1]
        self._boxes = np.zeros((len(images), 0, 4), int)
        if boxes is not None:
            self._boxes = np.clip(np.rint(boxes * size), 0, size).astype(int)

    def rays(self, rows: Array, count: int) -> tuple[Tensor, Tensor]:
        """Window points [B, R, 2] and the colours there [B, R, 3], 0..1."""
        images = self._images[torch.from_numpy(rows)]
        size = images.shape[1]
        grey = images.float().mean(-1)
        edge = torch.full_like(grey, 2.5)  # of 255: flat skin counts, too
        edge[:, :, 1:-1] += (grey[:, :, 2:] - grey[:, :, :-2]).abs()
        edge[:, 1:-1] += (grey[:, 2:] - grey[:, :-2]).abs()
        masks = self._masks[torch.from_numpy(rows)][:, None].float()
        # Half a cell wider than the mask: outlines tell where a head is.
        wide = torch.nn.functional.max_pool2d(masks, 3, 1, 1)
        person = torch.nn.functional.interpolate(wide, size=(size, size), mode="bilinear")[:, 0]
        often = torch.ones_like(grey)
        for frame, boxes in zip(often, self._boxes[rows], strict=True):
            for (left, top, right, bottom), times in zip(boxes, self._oftener, strict=True):
                frame[top:bottom, left:right] = times
        chance = (edge * often * (person > 77.0)).flatten(1) + 1e-6
        return self._at(_drawn(chance, min(count, size * size), self._generator), images)

    def evenly(self, rows: Array, count: int) -> tuple[Tensor, Tensor]:
        """The same, of all places alike."""
        images = self._images[torch.from_numpy(rows)]
        chance = torch.ones(len(images), images.shape[1] ** 2)
        return self._at(_drawn(chance, min(count, chance.shape[1]), self._generator), images)

    @staticmethod
    def _at(pixels: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """pixels: [B, R], row after row."""
        size = images.shape[1]
        points = torch.stack([pixels % size, pixels // size], dim=-1)
        flat = images.flatten(1, 2)
        colour = flat.gather(1, pixels[..., None].expand(-1, -1, 3)).float() / 255.0
        return (points.float() + 0.5) / size, colour


def _drawn(chance: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Of each row [B, N] `count` places, as often as they are likely [B, count].  Systematic
    sampling (Madow and Madow, Ann. Math. Stat. 1944): one draw a stretch of equal chance, so that
    they spread, for a twentieth of what `torch.multinomial` costs."""
    below = chance.cumsum(1)
    stretch = torch.arange(count) + torch.rand(len(chance), count, generator=generator)
    places = torch.searchsorted(below, stretch * (below[:, -1:] / count))
    return places.clamp_(max=chance.shape[1] - 1)  # rounding may go one beyond
