"""What training asks of a generated picture, MTTF section III-F.

MTTF's perceptual loss (Eq. 24) compares VGG-19 features, whose weights cannot be shipped.  In its
place stand, over four scales as there, differences of gradients and of local structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codec.mttf.backend import functional, torch
from codec.mttf.blocks import halved, identity_grid, resized, warped
from codec.mttf.generator import Generated
from codec.mttf.guide import LANDMARKS, MARKS
from codec.mttf.outlines import EYES, LIPS, picked

Tensor = Any
SCALES = 4
_FACE = 1.0  # of a face's weight beside that of mouth and eyes
_C1, _C2 = 0.01**2, 0.03**2  # of SSIM (Z. Wang et al., 2004), for pictures in 0 .. 1


@dataclass(frozen=True)
class LossWeights:
    """Eq. 27's, 10 each in MTTF.  rate: of a bit that the vectors are off the key frame's own, a
    stand-in for what sending them costs; ours.  Ours, too:
    detail: of face, mouth and eyes, where meshes say where they are.  motion, mesh: of the
    teacher's, at the start (`codec.mttf.teacher`).  warp: of what the motion alone shows of the
    person, at the start.  still: of a background that moves, where both pictures show it."""

    perceptual: float = 10.0
    pixels: float = 10.0
    mask: float = 10.0
    rate: float = 0.02
    detail: float = 5.0
    motion: float = 1.0
    mesh: float = 1.0
    warp: float = 10.0
    still: float = 0.5


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


def detail_loss(picture: Tensor, wanted: Tensor, mesh: Tensor) -> Tensor:
    """Pixels and their likeness, as over the whole picture, in a square about the face, 96x96
    whatever its size, and in one about the mouth and each eye, 32x32.  mesh: [B, 482, 2] of
    `wanted`, 0 .. 1.

    Mouth and eyes are a hundredth of a picture, and half of what people look at.
    """
    details = torch.cat([_view(picked(mesh, part)) for part in (LIPS, *EYES)])
    total = picture.new_zeros(())
    for views, share in ((details, 1.0), (_view(mesh[:, :LANDMARKS], 96), _FACE)):
        times = len(views) // len(picture)
        seen, asked = (
            functional.grid_sample(x.repeat(times, 1, 1, 1), views, align_corners=False)
            for x in (picture, wanted)
        )
        total = total + share * (pixel_loss(seen, asked) + perceptual_loss(seen, asked))
    return total


def _view(marks: Tensor, side: int = 32) -> Tensor:
    """[B, E, 2] -> [B, side, side, 2]: where to look, -1 .. 1, for a square half as wide again."""
    low, high = marks.amin(1), marks.amax(1)
    half = 0.75 * (high - low).amax(-1)[:, None, None, None].clamp_min(1e-3)
    return (low + high)[:, None, None] - 1 + 2 * half * identity_grid(side, marks)


def warp_loss(motion: Tensor, key: Tensor, wanted: Tensor, matte: Tensor) -> Tensor:
    """Mean |difference| of the key frame seen through a motion [B, g, g, 2] to what is wanted,
    where the matte is, over the scales 1, 1/2, 1/4 of the grid.

    Pictures tell a motion little through a generator that can paint over its mistakes; coarse
    scales tell it of what has moved far, such as shoulders, which no mesh does.
    """
    side = motion.shape[1]
    key, wanted, matte = (resized(x, side) for x in (key, wanted, matte))
    total = motion.new_zeros(())
    for scale in range(3):
        if scale:
            key, wanted, matte = halved(key), halved(wanted), halved(matte)
            motion = halved(motion.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        off = (warped(key, motion) - wanted).abs().mean(1, keepdim=True)
        total = total + (off * matte).sum() / matte.sum().clamp_min(1e-6)
    return total / 3


def still_loss(motion: Tensor, mattes: Tensor) -> Tensor:
    """Mean way of a background's motion [B, g, g, 2], in hundredths of the picture's half, where
    neither picture shows the person.  mattes: [2, B, 1, R, R].

    Where one does, the motion may fetch what fills the hole; what is seen in both has stayed.
    """
    side = motion.shape[1]
    free = (1 - resized(mattes[0], side)) * (1 - resized(mattes[1], side))
    way = (motion - identity_grid(side, motion)).abs().sum(-1)
    return 100 * (way * free[:, 0]).sum() / free.sum().clamp_min(1e-6)


def rate_loss(vectors: Tensor, key_vectors: Tensor, step: float) -> Tensor:
    """Mean bits, about, of a number that many steps off the key frame's."""
    return torch.log2(1 + (vectors - key_vectors).abs() / step).mean()


@dataclass(frozen=True)
class Losses:
    """parts: of the total, by name, without gradients; still on the device, which need not wait
    until somebody looks at them."""

    total: Tensor
    parts: dict[str, Tensor]


def losses(
    made: Generated,
    wanted: Tensor,
    matte: Tensor,
    mesh: Tensor,
    vectors: Tensor,
    key_vectors: Tensor,
    step: float,
    weights: LossWeights,
    settled: Tensor | float = 1.0,
) -> Losses:
    """Eq. 27 over a batch: wanted [B, 3, R, R], matte [B, 1, R, R], mesh [B, P, 2] of `wanted`
    (P may be 0), vectors [B, D].  settled: how much of the rate's counts."""
    parts = {
        "perceptual": weights.perceptual * perceptual_loss(made.picture, wanted),
        "pixels": weights.pixels * pixel_loss(made.picture, wanted),
    }
    if made.mask is not None:
        parts["mask"] = weights.mask * mask_loss(made.mask, matte)
    if mesh.shape[1] == MARKS:
        parts["detail"] = weights.detail * detail_loss(made.picture, wanted, mesh)
    parts["rate"] = weights.rate * settled * rate_loss(vectors, key_vectors, step)
    total = sum(parts.values())
    return Losses(total, {name: value.detach() for name, value in parts.items()})
