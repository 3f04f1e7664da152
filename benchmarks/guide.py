"""What the fallback's guide shows of pairs of pictures by itself, without any network.

    python -m benchmarks.guide CROPS

CROPS is a folder that `facewire train-mttf` prepared.  Mean PSNR in dB over pairs of all people in
which the face moves by 2 % of the picture or more: below the chin, where the person is, and in a
ring about the face above it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codec.mttf.blocks import identity_grid, warped
from codec.mttf.guide import LANDMARKS, Guide
from codec.mttf.lesson import affine, lesson
from codec.mttf.pairs import PairSampler
from service.fallback.portraits import read_portraits

Tensor = Any
SIDE = 256
_GRID = 64
_MOVED = 0.02  # of the picture
_RING = 1.7  # face's halves, as far out as the ring goes
_CHIN = 152


def psnr(seen: Tensor, wanted: Tensor, where: Tensor) -> float:
    """Of one picture [3, R, R] in a mask [R, R]."""
    return float(-10 * torch.log10((seen - wanted).square().mean(0)[where].mean() + 1e-6))


def below_chin(matte: Tensor, mesh: Tensor) -> Tensor:
    rows = (torch.arange(SIDE) + 0.5) / SIDE
    return (matte[0] > 0.5) & (rows > float(mesh[_CHIN, 1]) + 0.04)[:, None]


def about_face(mesh: Tensor) -> Tensor:
    low, high = mesh[:LANDMARKS].amin(0), mesh[:LANDMARKS].amax(0)
    places = (identity_grid(SIDE, mesh)[0] + 1) / 2
    far = (2 * (places - (low + high) / 2) / (high - low)).norm(dim=-1)
    return (far > 1) & (far < _RING) & (places[..., 1] < high[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("crops", type=Path)
    parser.add_argument("--pairs", type=int, default=400)
    given = parser.parse_args()
    sampler = PairSampler(read_portraits(given.crops)[0])
    guide, rng = Guide(32, 16), np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for _ in range(given.pairs):
        pair = sampler.draw(rng, 1, SIDE, jitter=False)
        key, wanted = pair.meshes
        if float((key - wanted)[:, :LANDMARKS].abs().mean()) < _MOVED:
            continue
        grid = (identity_grid(_GRID, key) + 1) / 2
        faces = key[:, :LANDMARKS], wanted[:, :LANDMARKS]
        motions = {
            "key frame": identity_grid(_GRID, key),
            "by the body's marks": 2 * affine(wanted[:, LANDMARKS:], key[:, LANDMARKS:], grid) - 1,
            "by the face": lesson(*faces, _GRID).motion,
            "by the face, at the ears' depth": lesson(*faces, _GRID, guide.depth).motion,
        }
        parts = {
            "below the chin": below_chin(pair.mattes[1, 0], wanted[0]),
            "about the face": about_face(wanted[0]),
        }
        for name, motion in motions.items():
            seen = warped(pair.key, motion)[0]
            for part, where in parts.items():
                if int(where.sum()) > 500:
                    value = psnr(seen, pair.wanted[0], where)
                    found.setdefault(f"{part}, {name}", []).append(value)
    for name, values in sorted(found.items()):
        print(f"{name}: {np.mean(values):.1f} dB over {len(values)} pairs")


if __name__ == "__main__":
    main()
