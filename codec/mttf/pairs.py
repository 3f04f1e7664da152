"""Batches that the trainer learns from: pairs of pictures of one clip, looked at in a random way.

All of a batch is cut at once, on the device that trains: a GPU would wait for a CPU that cuts one
picture after the other.  B pairs, R the side that is asked for, S the side of what is at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from codec.mttf.backend import functional, torch
from codec.mttf.blocks import halved, identity_grid
from codec.mttf.portraits import Portraits

Array = NDArray[Any]
Tensor = Any

_SHRINK = 0.8  # smallest part of a picture's side that a look shows
_TURN = math.radians(12)  # at most
_NEIGHBOURS = 0.15  # share of pairs that lie next to each other in time, as most do in a call


@dataclass(frozen=True)
class Batch:
    """key, wanted: [B, 3, R, R] in 0 .. 1.  mattes: [2, B, 1, R, R] and meshes: [2, B, P, 2], in
    0 .. 1 of the picture, of both."""

    key: Tensor
    wanted: Tensor
    mattes: Tensor
    meshes: Tensor


class PairSampler:
    """Pairs of pictures of one clip, mostly as far apart in time as chance has it."""

    def __init__(self, portraits: Portraits, device: str = "cpu") -> None:
        self._pictures, self._mattes, self._meshes, self._mirror = (
            torch.from_numpy(np.ascontiguousarray(a)).to(device)
            for a in (portraits.pictures, portraits.mattes, portraits.meshes, portraits.mirror)
        )
        people: dict[int, dict[int, Array]] = {}
        for clip in np.unique(portraits.clip):
            rows = np.flatnonzero(portraits.clip == clip)
            if len(rows) > 1:
                people.setdefault(int(portraits.person[rows[0]]), {})[int(clip)] = rows
        if not people:
            raise InputError("no clip has two pictures", "Prepare more crops of each clip.")
        self._people = [list(clips.values()) for clips in people.values()]

    def draw(self, rng: np.random.Generator, count: int, side: int, jitter: bool = True) -> Batch:
        """A person, one of their clips, two of its pictures; `count` times.

        jitter: both are cut, turned, mirrored and coloured in the same random way.
        """
        rows = torch.from_numpy(np.array([self._pair(rng, jitter) for _ in range(count)]).T)
        rows = rows.to(self._meshes.device)
        pictures = self._pictures[rows].movedim(-1, 2).float() / 255  # [2, B, 3, S, S]
        mattes = self._mattes[rows][:, :, None].float() / 255
        meshes = self._meshes[rows]
        if not jitter:
            key, wanted = (_fitted(x, side) for x in pictures)
            return Batch(key, wanted, torch.stack([_fitted(x, side) for x in mattes]), meshes)
        look = Look.drawn(rng, count, self._meshes)
        key, wanted = (look.coloured(look.seen(x, side)) for x in pictures)
        mattes = torch.stack([look.seen(x, side) for x in mattes])
        return Batch(key, wanted, mattes, look.marks(meshes, self._mirror))

    def _pair(self, rng: np.random.Generator, near: bool) -> Array:
        clips = self._people[rng.integers(len(self._people))]
        rows = clips[rng.integers(len(clips))]
        if near and rng.random() < _NEIGHBOURS:
            first = int(rng.integers(len(rows) - 1))
            return rng.permutation(rows[first : first + 2])
        return rng.choice(rows, 2, replace=False)


@dataclass(frozen=True)
class Look:
    """How pairs are looked at, the same way at both of a pair.

    turn: [B, 2, 2] and middle: [B, 2] take places of the look, -1 .. 1, to places of the picture;
    a mirrored look has a negative determinant.  mirrored: [B].  gain: [B, 3, 1, 1] of the
    colours, offset, saturation: [B, 1, 1, 1].
    """

    turn: Tensor
    middle: Tensor
    mirrored: Tensor
    gain: Tensor
    offset: Tensor
    saturation: Tensor

    @classmethod
    def drawn(cls, rng: np.random.Generator, count: int, like: Tensor) -> Look:
        """A look never shows what is beyond the picture: it is turned as far as it fits."""
        share = rng.uniform(_SHRINK, 1.0, count)
        # A square turned by a reaches cos a + sin a times as far.
        most = np.minimum(np.arcsin(1 / (share * math.sqrt(2))) - math.pi / 4, _TURN)
        angle = rng.uniform(-1, 1, count) * most
        free = 1 - share * (np.cos(angle) + np.abs(np.sin(angle)))
        middle = rng.uniform(-1, 1, (count, 2)) * free.clip(0)[:, None]
        mirrored = rng.random(count) < 0.5
        turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1)
        turn = turn.reshape(count, 2, 2) * share[:, None, None]
        turn[mirrored, :, 0] *= -1
        gain = rng.uniform(0.85, 1.15, (count, 1)) * rng.uniform(0.95, 1.05, (count, 3))
        saturation, offset = rng.uniform(0.7, 1.2, count), rng.uniform(-0.05, 0.05, count)

        def tensor(x: Array) -> Tensor:
            return torch.from_numpy(x).to(like.device, like.dtype)

        return cls(
            tensor(turn),
            tensor(middle),
            torch.from_numpy(mirrored).to(like.device),
            tensor(gain)[:, :, None, None],
            tensor(offset)[:, None, None, None],
            tensor(saturation)[:, None, None, None],
        )

    def seen(self, x: Tensor, side: int) -> Tensor:
        """[B, C, S, S] -> [B, C, side, side]; where it shrinks, means of a look twice as fine."""
        fine = 2 * side if side * 2 <= x.shape[-1] else side
        grid = identity_grid(fine, x) @ self.turn[:, None].mT + self.middle[:, None, None]
        seen = functional.grid_sample(
            x, grid, mode="bicubic", padding_mode="border", align_corners=False
        )
        return (halved(seen) if fine > side else seen).clamp(0, 1)

    def marks(self, meshes: Tensor, mirror: Tensor) -> Tensor:
        """Landmarks [2, B, P, 2] of pictures -> of what is seen of them, 0 .. 1."""
        off = (2 * meshes - 1) - self.middle[:, None]
        marks = (off @ torch.linalg.inv(self.turn).mT + 1) / 2
        return torch.where(self.mirrored[:, None, None], marks[:, :, mirror], marks)

    def coloured(self, x: Tensor) -> Tensor:
        """[B, 3, R, R] in 0 .. 1."""
        grey = x.mean(1, keepdim=True)
        return ((grey + (x - grey) * self.saturation) * self.gain + self.offset).clamp(0, 1)


def _fitted(x: Tensor, side: int) -> Tensor:
    """To side x side; enlarged by bicubic interpolation, as MTTF by Lanczos'."""
    if x.shape[-1] == side:
        return x
    mode = "bilinear" if x.shape[-1] > side else "bicubic"
    return functional.interpolate(
        x, size=(side, side), mode=mode, align_corners=False, antialias=mode == "bilinear"
    ).clamp(0, 1)
