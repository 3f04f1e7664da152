"""What the networks are built of.  B pictures, C channels, [B, C, h, w] throughout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codec.mttf.backend import Module, functional, nn, torch

Tensor = Any
_EDGE = 1 / 510  # half a step of 8 bits: what the logarithms of black and white are taken of


def conv_block(width: int, out: int, kernel: int = 3) -> Any:
    """Convolution, batch normalisation (whose scale tells what can be pruned), ReLU."""
    return nn.Sequential(
        nn.Conv2d(width, out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


def doubled(x: Tensor) -> Tensor:
    """[B, C, h, w] -> [B, C, 2h, 2w], nearest."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def halved(x: Tensor) -> Tensor:
    """[B, C, h, w] -> [B, C, h/2, w/2], means of four."""
    return functional.avg_pool2d(x, 2)


def resized(x: Tensor, side: int) -> Tensor:
    """D of Eq. 1: to side x side, means where it shrinks, bilinear where it grows."""
    if x.shape[-1] == side:
        return x
    if x.shape[-1] > side and x.shape[-1] % side == 0:
        return functional.avg_pool2d(x, x.shape[-1] // side)
    return functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)


def enlarged(x: Tensor, side: int) -> Tensor:
    """To side x side, bilinear."""
    if x.shape[-1] == side:
        return x
    return functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)


def logit(x: Tensor) -> Tensor:
    """The inverse of the sigmoid, of pictures in 0 .. 1."""
    return torch.logit(x.clamp(_EDGE, 1 - _EDGE))


def identity_grid(side: int, like: Tensor) -> Tensor:
    """[1, side, side, 2] x, y in -1 .. 1 of each pixel's middle: the motion of what stays."""
    line = (torch.arange(side, dtype=like.dtype, device=like.device) * 2 + 1) / side - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)[None]


def warped(x: Tensor, motion: Tensor) -> Tensor:
    """The warping of Eq. 18 and 20: x [B, C, h, w] seen through motion [B, g, g, 2], which is
    enlarged to h x w first where it is smaller."""
    side = x.shape[-1]
    if motion.shape[1] != side:
        flat = motion.permute(0, 3, 1, 2)
        flat = functional.interpolate(flat, size=(side, side), mode="bilinear", align_corners=False)
        motion = flat.permute(0, 2, 3, 1)
    return functional.grid_sample(
        x, motion, mode="bilinear", padding_mode="border", align_corners=False
    )


def deformed(x: Tensor, flows: Tensor) -> Tensor:
    """x [B, C, g, g] through M motions [B, M, g, g, 2] -> [B, M C, g, g], in one look: the motions
    under one another on a grid of [M g, g]."""
    batch, count, side = flows.shape[:3]
    seen = functional.grid_sample(
        x,
        flows.reshape(batch, count * side, side, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return seen.unflatten(2, (count, side)).transpose(1, 2).flatten(1, 2)


class UNet(Module):
    """U-Net (O. Ronneberger et al., 2015): an encoder that halves, a decoder that doubles, and
    the encoder's features beside the decoder's at every level.

    [B, width, h, w] -> [B, out, h, w]; h and w divisible by 2 ** (levels - 1).
    ends: kernel of the first and the last convolution, which see the most pixels and channels.
    """

    def __init__(self, width: int, levels: Sequence[int], out: int, ends: int = 3) -> None:
        super().__init__()
        self.first = conv_block(width, levels[0], ends)
        self.down = nn.ModuleList(conv_block(a, b) for a, b in zip(levels, levels[1:]))
        # Each level below gives as many channels as the level above takes beside its own.
        self.up = nn.ModuleList(
            conv_block(b if b == levels[-1] and last else 2 * b, a)
            for last, (a, b) in _from_below(levels)
        )
        self.last = nn.Conv2d(2 * levels[0], out, ends, padding=ends // 2)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.first(x)]
        for block in self.down:
            kept.append(block(halved(kept[-1])))
        x = kept.pop()
        for block in self.up:
            x = torch.cat([block(doubled(x)), kept.pop()], dim=1)
        return self.last(x)


def _from_below(levels: Sequence[int]) -> list[tuple[bool, tuple[int, int]]]:
    pairs = list(zip(levels, levels[1:]))[::-1]
    return [(i == 0, pair) for i, pair in enumerate(pairs)]


class Normalisation(Module):
    """Generalised divisive normalisation (J. Ballé et al., 2016): y_i = x_i / sqrt(beta_i +
    sum_j gamma_ij x_j^2), beta and gamma positive by being squares."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(width))
        self.gamma = nn.Parameter((0.1**0.5) * torch.eye(width) + 0.01)

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.gamma**2)[:, :, None, None]
        norm = functional.conv2d(x * x, weight, self.beta**2 + 1e-6)
        return x * torch.rsqrt(norm)
