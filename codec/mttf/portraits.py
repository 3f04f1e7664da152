"""What the trainer learns from, as arrays, and how a batch is drawn from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from codec.mttf.backend import functional, torch

Array = NDArray[Any]
Tensor = Any

_SHRINK = 0.8  # smallest part of a picture's side that a jittered crop shows


@dataclass(frozen=True)
class Portraits:
    """F pictures of people.  pictures: [F, S, S, 3] uint8 RGB.  mattes: [F, M, M] uint8, 255 =
    person.  clip, person: [F] numbers; pictures of one clip are pairs, a person is never split.
    meshes: [F, P, 2] landmarks, 0 .. 1 of the picture; P is 0 where there are none.  mirror: [P]
    the landmark on the other side of the face."""

    pictures: NDArray[np.uint8]
    mattes: NDArray[np.uint8]
    clip: NDArray[np.int64]
    person: NDArray[np.int64]
    meshes: NDArray[np.float32]
    mirror: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.pictures)
        if not (
            len(self.mattes) == len(self.clip) == len(self.person) == len(self.meshes) == count > 0
        ):
            raise InputError("pictures, mattes, clips, people and meshes are not equally many")

    def of(self, people: Iterable[int]) -> Portraits:
        """Those of some people.  Raises InputError where there are none."""
        rows = np.isin(self.person, list(people))
        if not rows.any():
            raise InputError("nobody is left to learn from", "Give clips of more people.")
        return Portraits(
            self.pictures[rows],
            self.mattes[rows],
            self.clip[rows],
            self.person[rows],
            self.meshes[rows],
            self.mirror,
        )

    def without(self, people: Iterable[int]) -> Portraits:
        return self.of(set(self.person.tolist()) - set(people))


def held_out_clips() -> tuple[str, ...]:
    """Names, without suffix, of the clips of the ten test people: never trained on."""
    text = (resources.files("codec.mttf") / "data" / "held_out.txt").read_text()
    return tuple(text.split())


@dataclass(frozen=True)
class Batch:
    """key, wanted: [B, 3, R, R] in 0 .. 1.  matte: [B, 1, R, R] of `wanted`.  meshes: [2, B, P, 2]
    landmarks of the key and of what is wanted, 0 .. 1 of the picture."""

    key: Tensor
    wanted: Tensor
    matte: Tensor
    meshes: Tensor


class PairSampler:
    """Pairs of pictures of one clip, as far apart in time as chance has it."""

    def __init__(self, portraits: Portraits) -> None:
        self._portraits = portraits
        self._mirror = torch.from_numpy(portraits.mirror)
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

        jitter: both are cut, mirrored and coloured in the same random way.
        """
        keys, wanted, mattes, meshes = [], [], [], []
        for _ in range(count):
            clips = self._people[rng.integers(len(self._people))]
            rows = clips[rng.integers(len(clips))]
            a, b = rng.choice(rows, 2, replace=False)
            pair = _pictures(self._portraits.pictures[[a, b]])
            matte = torch.from_numpy(self._portraits.mattes[b][None, None]).float() / 255
            mesh = torch.from_numpy(self._portraits.meshes[[a, b]])
            if jitter:
                pair, matte, mesh = _jittered(pair, matte, mesh, self._mirror, rng)
            pair, matte = _fitted(pair, side).clamp(0, 1), _fitted(matte, side).clamp(0, 1)
            keys.append(pair[0])
            wanted.append(pair[1])
            mattes.append(matte[0])
            meshes.append(mesh)
        return Batch(
            torch.stack(keys), torch.stack(wanted), torch.stack(mattes), torch.stack(meshes, dim=1)
        )


def _pictures(pictures: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 255


def _fitted(x: Tensor, side: int) -> Tensor:
    """To side x side; enlarged by bicubic interpolation, as MTTF by Lanczos'."""
    if x.shape[-1] == side:
        return x
    mode = "bilinear" if x.shape[-1] > side else "bicubic"
    return functional.interpolate(
        x, size=(side, side), mode=mode, align_corners=False, antialias=mode == "bilinear"
    )


def _jittered(
    pair: Tensor, matte: Tensor, mesh: Tensor, mirror: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    share = rng.uniform(_SHRINK, 1.0)
    left, top = rng.uniform(0, 1 - share, 2)

    def cut(x: Tensor) -> Tensor:
        side = x.shape[-1]
        a, b, size = round(top * side), round(left * side), round(share * side)
        return x[:, :, a : a + size, b : b + size]

    pair, matte = cut(pair), cut(matte)
    mesh = (mesh - torch.tensor([left, top], dtype=torch.float32)) / float(share)
    if rng.random() < 0.5:
        pair, matte = pair.flip(-1), matte.flip(-1)
        mesh = torch.stack([1 - mesh[..., 0], mesh[..., 1]], dim=-1)[:, mirror]
    gain = torch.from_numpy(rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3)).float()
    grey = pair.mean(1, keepdim=True)
    pair = grey + (pair - grey) * rng.uniform(0.7, 1.2)
    return (pair * gain[:, None, None] + rng.uniform(-0.05, 0.05)).clamp(0, 1), matte, mesh
