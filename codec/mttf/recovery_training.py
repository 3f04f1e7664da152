"""The trainer of Portrait Recovery: coded and source pictures as arrays in, weights out.

Deterministic as `codec.mttf.train`: what step N draws follows from the seed and N alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError
from codec.mttf.average import follow
from codec.mttf.backend import half_precision, torch
from codec.mttf.recovery import RecoveryNet, RecoverySettings

Tensor = Any
_EXACT = 1e-6  # a squared error, 60 dB, below which nothing is to be gained


@dataclass(frozen=True)
class Pairs:
    """coded, wanted: [P, S, S, 3] uint8 RGB, as an intra frame shows a picture and as it was.
    level: [P] `recovery.level_of` its QP."""

    coded: NDArray[np.uint8]
    wanted: NDArray[np.uint8]
    level: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.coded) or not len(self.coded) == len(self.wanted) == len(self.level):
            raise InputError("coded pictures, sources and levels are not equally many")


@dataclass(frozen=True)
class RecoveryTraining:
    """batch: patches of side x side a step.  rate: Adam's at first; it falls to nothing along a
    cosine.  ema: of the weights that are kept.  half: as `TrainSettings`."""

    steps: int = 6000
    seed: int = 0
    batch: int = 16
    side: int = 64
    rate: float = 1e-3
    ema: float = 0.999
    half: bool = True


@dataclass(frozen=True)
class RecoveryCheck:
    """On pictures that are not learned from: mean PSNR in dB as decoded and as restored."""

    step: int
    decoded: float
    restored: float


class RecoveryTrainer:
    """`run` goes on from `done` steps; `kept` is the network to ship."""

    def __init__(
        self,
        network: RecoverySettings,
        learned: Pairs,
        check: Pairs,
        settings: RecoveryTraining = RecoveryTraining(),
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device = settings, device
        self.net = RecoveryNet(network).to(device, memory_format=torch.channels_last)
        self.kept = RecoveryNet(network).to(device).eval().requires_grad_(False)
        self.kept.load_state_dict(self.net.state_dict())
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=settings.rate)
        self.done = 0
        self.checks: list[RecoveryCheck] = []
        self._learned, self._check = learned, check
        self._fold = network.fold
        self._half = settings.half and half_precision(device)

    def step(self) -> float:
        """One batch of patches; its loss."""
        settings = self.settings
        coded, wanted, level = self._drawn()
        for group in self.optimiser.param_groups:
            share = self.done / max(settings.steps, 1)
            group["lr"] = settings.rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self._half):
            made = self.net(coded, level)
        loss = restoration_loss(made.float(), wanted)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.done += 1
        follow(self.kept, self.net, self.done, settings.ema)
        return float(loss.detach())

    def run(
        self,
        every: int = 500,
        told: Callable[[int], None] | None = None,
        checked: Callable[[RecoveryCheck], None] | None = None,
    ) -> None:
        """To the last step; a check every so many and at the end."""
        while self.done < self.settings.steps:
            self.step()
            if told:
                told(self.done)
            if self.done % every == 0 or self.done == self.settings.steps:
                self.checks.append(self.check())
                if checked:
                    checked(self.checks[-1])

    def check(self) -> RecoveryCheck:
        """The kept weights."""
        before, after = [], []
        for index in range(len(self._check.coded)):
            one = self._check.coded[index : index + 1]
            coded, wanted = self._tensor(one), self._tensor(self._check.wanted[index : index + 1])
            with torch.no_grad():
                made = self.kept(coded, self._levels(self._check.level[index : index + 1]))
            before.append(_psnr(coded, wanted))
            after.append(_psnr(made.clamp(0, 1), wanted))
        return RecoveryCheck(self.done, float(np.mean(before)), float(np.mean(after)))

    def _drawn(self) -> tuple[Tensor, Tensor, Tensor]:
        """Patches, on blocks of `fold` as the network takes a picture apart, mirrored or not."""
        rng = np.random.default_rng([self.settings.seed, self.done])
        whole = self._learned.coded.shape[1]
        side = min(self.settings.side, whole)
        rows = rng.integers(len(self._learned.coded), size=self.settings.batch)
        coded: list[NDArray[np.uint8]] = []
        wanted: list[NDArray[np.uint8]] = []
        for row in rows:
            top, left = self._fold * rng.integers((whole - side) // self._fold + 1, size=2)
            turn = -1 if rng.random() < 0.5 else 1
            for out, given in ((coded, self._learned.coded), (wanted, self._learned.wanted)):
                out.append(given[row, top : top + side, left : left + side][:, ::turn])
        return (
            self._tensor(np.stack(coded)),
            self._tensor(np.stack(wanted)),
            self._levels(self._learned.level[rows]),
        )

    def _tensor(self, pictures: NDArray[np.uint8]) -> Tensor:
        """[B, R, R, 3] -> [B, 3, R, R] in 0 .. 1."""
        x = torch.from_numpy(np.ascontiguousarray(pictures)).to(self.device)
        return x.permute(0, 3, 1, 2).float() / 255

    def _levels(self, level: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(level.astype(np.float32)).to(self.device)


def restoration_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean logarithm of each patch's mean squared error, [B, 3, H, W] in 0 .. 1: its PSNR, so that
    fine key frames count as much as coarse ones.  (Absolute differences teach nothing: where a
    sample is as likely too bright as too dark, their best correction is none.)"""
    squared = ((made - wanted) ** 2).mean(dim=(1, 2, 3))
    return torch.log(squared + _EXACT).mean()


def _psnr(picture: Tensor, wanted: Tensor) -> float:
    return float(-10 * torch.log10(((picture - wanted) ** 2).mean() + 1e-10))
