"""The 68 landmarks of a face that Bi-layer sends, and drawn as lines.

Those of iBUG's scheme (C. Sagonas et al., "300 Faces in-the-Wild Challenge", ICCVW 2013), each the
nearest of MediaPipe's mesh, whose jaw is the face's outline.  B faces, places x, y in -1 .. 1 of
the picture, g the side of the maps.
"""

from __future__ import annotations

from typing import Any

from codec.mttf.backend import torch
from codec.mttf.blocks import identity_grid
from codec.mttf.outlines import picked

Tensor = Any

# Landmarks of the mesh along each part; those of the second kind are closed.
_OPEN = (
    (127, 234, 132, 58, 172, 150, 176, 148, 152, 377, 400, 379, 397, 288, 361, 454, 356),  # jaw
    (70, 63, 105, 66, 107),  # brows
    (336, 296, 334, 293, 300),
    (168, 197, 5, 4),  # the nose down, and across below
    (98, 97, 2, 326, 327),
)
_CLOSED = (
    (33, 160, 158, 133, 153, 144),  # eyes
    (362, 385, 387, 263, 373, 380),
    (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),  # lips, outside and inside
    (78, 81, 13, 311, 308, 402, 14, 178),
)
PARTS = len(_OPEN) + len(_CLOSED)
LANDMARKS = tuple(i for part in (*_OPEN, *_CLOSED) for i in part)
_WIDTH = 0.03  # of a line, a picture's halves: a pixel of a grid of 64


def landmarks_of(mesh: Tensor) -> Tensor:
    """[B, 482, 2] marks in 0 .. 1 of the picture (`codec.mttf.guide`) -> [B, 68, 2]."""
    return 2 * picked(mesh, LANDMARKS) - 1


def drawn(places: Tensor, side: int) -> Tensor:
    """[B, 68, 2] -> [B, 9, g, g], a map for each part: 1 on its line, falling off as a Gaussian
    of the distance."""
    grid = identity_grid(side, places)[:, None]  # [1, 1, g, g, 2]
    maps, start = [], 0
    for part in (*_OPEN, *_CLOSED):
        along = places[:, start : start + len(part)]
        start += len(part)
        end = along.roll(-1, 1)
        lines = slice(None) if part in _CLOSED else slice(-1)
        squares = _squares(grid, along[:, lines], end[:, lines]).amin(1)
        maps.append((-squares / (2 * _WIDTH**2)).exp())
    return torch.stack(maps, dim=1)


def _squares(grid: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    """Squared distances of places [1, 1, g, g, 2] to lines between [B, E, 2] -> [B, E, g, g]."""
    begin, way = begin[:, :, None, None], (end - begin)[:, :, None, None]
    off = grid - begin
    share = ((off * way).sum(-1) / (way * way).sum(-1).clamp_min(1e-12)).clamp(0, 1)
    return (off - share[..., None] * way).square().sum(-1)
