"""Key points that nobody labelled: found as heatmaps, made to move with the picture.

FOMM sections 3.1 and 3.2.  B pictures, K points, g the grid's side; places are x, y in -1 .. 1.
"""

from __future__ import annotations

from typing import Any

from codec.mttf.backend import Module, nn
from codec.mttf.blocks import UNet, identity_grid

Tensor = Any
VARIANCE = 0.01  # sigma of Eq. 6, of picture halves squared
_TEMPERATURE = 0.1  # of the heatmaps' softmax
UNIT = 32.0  # a sent coordinate is that many to a picture's half: a step is half a pixel of 256


class PointDetector(Module):
    """A U-Net whose heatmaps sum to 1; a point is its heatmap's mean place.  values: further
    channels for each point, their means under the heatmap (FOMM's Jacobians)."""

    def __init__(self, widths: tuple[int, ...], count: int, values: int = 0) -> None:
        super().__init__()
        self.count = count
        self.net = UNet(3, widths, count * (1 + values))
        if values:  # what is added to where a value starts
            nn.init.zeros_(self.net.last.weight.data[count:])
            nn.init.zeros_(self.net.last.bias.data[count:])

    def forward(self, small: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, g, g] in 0 .. 1 -> places [B, K, 2], values [B, K, V]."""
        heat, grid, rest = self._seen(small)
        values = rest.unflatten(1, (self.count, -1))  # [B, K, V, g g]
        return heat @ grid, (values * heat[:, :, None]).sum(-1)

    def heat(self, small: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, g, g] in 0 .. 1 -> heatmaps [B, K, g g] that sum to 1, and their places
        [g g, 2]."""
        heat, grid, _ = self._seen(small)
        return heat, grid

    def _seen(self, small: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = self.net(2 * small - 1).float().flatten(2)  # [B, K (1 + V), g g]
        heat = (out[:, : self.count] / _TEMPERATURE).softmax(-1)
        return heat, identity_grid(small.shape[-1], out).reshape(-1, 2), out[:, self.count :]


def gaussians(points: Tensor, side: int) -> Tensor:
    """[B, K, 2] -> [B, K, side, side], 1 at the point."""
    off = identity_grid(side, points)[:, None] - points[:, :, None, None]
    return (-(off**2).sum(-1) / (2 * VARIANCE)).exp()


def hints(key: Tensor, frame: Tensor, side: int) -> Tensor:
    """H_k of Eq. 6: where the points are in the frame, less where they were, [B, K, g, g]."""
    return gaussians(frame, side) - gaussians(key, side)


def points_of(vectors: Tensor) -> Tensor:
    """The 2 K numbers that are sent -> places [B, K, 2]."""
    return vectors.float().unflatten(1, (-1, 2)) / UNIT
