"""What a still picture from the enrolment would score: the least a codec has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 16  # enrolment pictures held as float32


@dataclass(frozen=True)
class Baseline:
    """first: the enrolment's first picture.  best: for each judged picture, the enrolment
    picture with the smallest squared error, an oracle that no still picture beats."""

    first: NDArray[np.uint8]  # [H, W, 3]
    best: NDArray[np.uint8]  # [J, H, W, 3]


def baseline(
    judged: NDArray[np.uint8],  # [J, H, W, 3]
    enrolled: Iterable[NDArray[np.uint8]],  # pictures [H, W, 3]
) -> Baseline:
    """One pass over the enrolment.  Raises ValueError where it is empty."""
    wanted = judged.reshape(len(judged), -1).astype(np.float32)
    energy = np.einsum("jp,jp->j", wanted, wanted, dtype=np.float64)
    lowest = np.full(len(judged), np.inf)
    best = np.zeros_like(judged)
    first: NDArray[np.uint8] | None = None
    block: list[NDArray[np.uint8]] = []

    def settle() -> None:
        rows = np.stack(block).reshape(len(block), -1).astype(np.float32)
        own = np.einsum("ep,ep->e", rows, rows, dtype=np.float64)
        error = energy[:, None] + own - 2.0 * (wanted @ rows.T).astype(np.float64)
        nearest = error.argmin(axis=1)
        for j in np.flatnonzero(error.min(axis=1) < lowest):
            lowest[j] = error[j, nearest[j]]
            best[j] = block[nearest[j]]
        block.clear()

    for picture in enrolled:
        if first is None:
            first = picture.copy()
        block.append(picture)
        if len(block) == _AT_ONCE:
            settle()
    if block:
        settle()
    if first is None:
        raise ValueError("an enrolment without pictures")
    return Baseline(first, best)
