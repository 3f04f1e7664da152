"""From one key frame to the next: how much of the later one is in each picture between them.

Two-sided generation, for files: a receiver that holds the next key frame already makes a picture
from both.  How much of each is a line over the frames, so that it costs no numbers a frame; where
the line runs is what the sender measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_LEAST = 0.01  # of the squared error must be saved, or the frames stay one-sided


@dataclass(frozen=True)
class Ramp:
    """start: the first mixed frame.  end: the first made from the later key frame alone; equal to
    start where nothing is mixed."""

    start: int
    end: int

    def share(self, frame: int) -> tuple[int, int]:
        """(k, n): k / n of the later key frame's picture."""
        n = self.end - self.start + 1
        return min(max(frame - self.start + 1, 0), n), n


def mixed(first: Picture, second: Picture, k: int, n: int) -> Picture:
    """((n - k) first + k second) / n, rounded, halves up, in integers."""
    total = first.astype(np.int64) * (n - k) + second.astype(np.int64) * k
    return ((2 * total + n) // (2 * n)).astype(np.uint8)


@dataclass(frozen=True)
class Evidence:
    """[F] each, of the frames from a key frame to the next, that one's own not among them.
    first, second: squared error of the pictures made from the earlier and the later key frame.
    cross: inner product of the two errors."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    cross: NDArray[np.float64]

    @classmethod
    def of(cls, pictures: list[Picture], first: list[Picture], second: list[Picture]) -> Evidence:
        rows = []
        for picture, one, other in zip(pictures, first, second):
            a = (one.astype(np.int64) - picture).ravel()
            b = (other.astype(np.int64) - picture).ravel()
            rows.append((a @ a, b @ b, a @ b))
        return cls(*np.array(rows, np.float64).reshape(-1, 3).T)


def best_ramp(evidence: Evidence) -> Ramp | None:
    """The ramp, in frames from the evidence's first on, with the least squared error; None where
    that saves less than a hundredth of what the first key frame alone leaves.

    The mixture's error is (1 - w)^2 first + w^2 second + 2 w (1 - w) cross, so that all ramps are
    tried without making a picture again.
    """
    count = len(evidence.first)
    if not count:
        return None
    frames = np.arange(count)
    best, least = None, (1 - _LEAST) * float(evidence.first.sum())
    for start in range(count):
        ends = np.arange(start, count + 1)[:, None]
        w = np.clip((frames - start + 1) / (ends - start + 1), 0, 1)
        costs = (
            (1 - w) ** 2 @ evidence.first
            + w**2 @ evidence.second
            + 2 * (w * (1 - w)) @ evidence.cross
        )
        index = int(np.argmin(costs))
        if costs[index] < least:
            best, least = Ramp(start, start + index), float(costs[index])
    return best
