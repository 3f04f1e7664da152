"""What training asks of a generated picture, MTTF section III-F.

MTTF's perceptual loss (Eq. 24) compares VGG-19 features, whose weights cannot be shipped.  In its
place stand, over four scales as there, differences of gradients and of local structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codec.mttf.backend import functional, torch
from codec.mttf.blocks import halved
from codec.mttf.generator import Generated

Tensor = Any
SCALES = 4
_C1, _C2 = 0.01**2, 0.03**2  # of SSIM (Z. Wang et al., 2004), for pictures in 0 .. 1


@dataclass(frozen=True)
class LossWeights:
    """Eq. 27's, 10 each in MTTF.  rate: of a bit that the vectors are off the key frame's own, a
    stand-in for what sending them costs; ours.  motion, mesh: of the
    teacher's, at the start (`codec.mttf.teacher`); ours."""

    perceptual: float = 10.0
    pixels: float = 10.0
    mask: float = 10.0
    rate: float = 0.02
    motion: float = 1.0
    mesh: float = 1.0


def pixel_loss(picture: Tensor, wanted: Tensor) -> Tensor:
    """Eq. 25: mean |difference|."""
    return (picture - wanted).abs().mean()


def mask_loss(mask: Tensor, wanted: Tensor) -> Tensor:
    """Eq. 26: mean |difference| to a matting network's answer."""
    return (mask - wanted).abs().mean()


def structure(a: Tensor, b: Tensor) -> Tensor:
    """1 - SSIM, the mean over every second window of 7x7 (less where the picture is smaller)."""
    window = min(7, *a.shape[-2:])

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, window, 2)

    ma, mb = mean(a), mean(b)
    va, vb = mean(a * a) - ma * ma, mean(b * b) - mb * mb
    cov = mean(a * b) - ma * mb
    top = (2 * ma * mb + _C1) * (2 * cov + _C2)
    return 1 - (top / ((ma * ma + mb * mb + _C1) * (va + vb + _C2))).mean()


def gradients(a: Tensor, b: Tensor) -> Tensor:
    """Mean |difference| of what neighbours differ by, across and down."""
    d = a - b
    return (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()


def perceptual_loss(picture: Tensor, wanted: Tensor) -> Tensor:
    """In the place of Eq. 24: gradients and structure over the scales 1, 1/2, 1/4, 1/8.

    0.25 of structure and 1 of gradients: at the start both are then about as large as Eq. 25.
    """
    total = picture.new_zeros(())
    for scale in range(SCALES):
        if scale:
            picture, wanted = halved(picture), halved(wanted)
        total = total + gradients(picture, wanted) + 0.25 * structure(picture, wanted)
    return total / SCALES


def rate_loss(vectors: Tensor, key_vectors: Tensor, step: float) -> Tensor:
    """Mean bits, about, of a number that many steps off the key frame's."""
    return torch.log2(1 + (vectors - key_vectors).abs() / step).mean()


@dataclass(frozen=True)
class Losses:
    total: Tensor
    parts: dict[str, float]


def losses(
    made: Generated,
    wanted: Tensor,
    matte: Tensor,
    vectors: Tensor,
    key_vectors: Tensor,
    step: float,
    weights: LossWeights,
) -> Losses:
    """Eq. 27 over a batch: wanted [B, 3, R, R], matte [B, 1, R, R], vectors [B, 2 N_F]."""
    parts = {
        "perceptual": weights.perceptual * perceptual_loss(made.picture, wanted),
        "pixels": weights.pixels * pixel_loss(made.picture, wanted),
    }
    if made.mask is not None:
        parts["mask"] = weights.mask * mask_loss(made.mask, matte)
    parts["rate"] = weights.rate * rate_loss(vectors, key_vectors, step)
    total = sum(parts.values())
    return Losses(total, {name: float(value.detach()) for name, value in parts.items()})
