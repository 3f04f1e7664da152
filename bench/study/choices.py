"""Scores from choices between two: Bradley and Terry, Biometrika 39, 1952."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError

_ROUNDS = 10_000


def bradley_terry(wins: NDArray[np.floating]) -> NDArray[np.float64]:
    """wins: [V, V], how often row was preferred to column -> [V] log-strengths around 0; the
    odds that i is preferred to j are exp(score_i - score_j).

    By the minorisation of Hunter (Annals of Statistics 32, 2004).  Raises InputError where some
    videos were never, or always, preferred to all others: their score has no bound.
    """
    wins = np.asarray(wins, np.float64)
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or len(wins) < 2:
        raise InputError(f"choices of shape {wins.shape} compare nothing", "Give [V, V], V >= 2.")
    if not _connected(wins):
        raise InputError(
            "some videos won or lost every comparison with the rest, or were never compared",
            "Ask more people, or compare videos that are nearer to one another.",
        )
    games = wins + wins.T
    strength = np.ones(len(wins))
    for _ in range(_ROUNDS):
        fresh = wins.sum(axis=1) / (games / (strength[:, None] + strength)).sum(axis=1)
        fresh /= np.exp(np.log(fresh).mean())
        if np.allclose(fresh, strength, rtol=1e-10):
            break
        strength = fresh
    return np.log(strength)


def _connected(wins: NDArray[np.float64]) -> bool:
    """Whether from each video a chain of wins leads to each other."""
    reach = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(len(wins)):
        reach = reach | ((reach.astype(np.int64) @ reach.astype(np.int64)) > 0)
    return bool(reach.all())
