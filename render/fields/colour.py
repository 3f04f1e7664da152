"""The small network that turns features into colour."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class ColourNetwork(nn.Module):
    """Two hidden layers.  What is one value a frame (expression, consistency code) enters the
    first layer as a bias computed once a frame, not once a pixel.  `precision`: what its matrix
    products compute with."""

    precision: torch.dtype = torch.float32

    def __init__(self, pixel_inputs: int, frame_inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.pixel = nn.Linear(pixel_inputs, hidden)
        self.frame = nn.Linear(frame_inputs, hidden, bias=False)
        self.middle = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, outputs)
        with torch.no_grad():
            # The person starts grey and the same in every frame: what moves is learned.
            self.frame.weight.mul_(0.1)
            self.last.weight.mul_(0.5)

    def forward(
        self,
        pixels: Tensor,  # [B, N, pixel_inputs]
        frames: Tensor,  # [B, frame_inputs]
    ) -> Tensor:  # [B, N, outputs]
        if self.precision != torch.float32:
            with torch.autocast(pixels.device.type, self.precision):
                return self._colour(pixels, frames).float()
        return self._colour(pixels, frames)

    def _colour(self, pixels: Tensor, frames: Tensor) -> Tensor:
        if len(frames) == 1:
            h = functional.linear(
                pixels, self.pixel.weight, self.pixel.bias + self.frame(frames)[0]
            )
        else:
            h = self.pixel(pixels) + self.frame(frames)[:, None]
        h = self.middle(functional.relu(h, inplace=True))
        return self.last(functional.relu(h, inplace=True))
