"""How well a metric agrees with people: PLCC, SRCC, KRCC and RMSE, as in 002's Table 5.

Before PLCC and RMSE a metric's figures go through 002's Eq. 6, a logistic function with four
parameters fitted to the opinions; ranks need none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MissingError

LEAST_VIDEOS = 5  # a function of four parameters goes through any four points

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """srcc, krcc: without sign, as in 002.  eta: of Eq. 6.  videos: how many were compared."""

    metric: str
    plcc: float
    srcc: float
    krcc: float
    rmse: float
    eta: tuple[float, float, float, float]
    videos: int


def logistic(x: Figures, eta: tuple[float, ...] | Figures) -> Figures:
    """002, Eq. 6."""
    top, bottom, middle, width = eta
    exponent = np.clip(-(x - middle) / max(abs(width), 1e-12), -700, 700)
    return np.asarray((top - bottom) / (1 + np.exp(exponent)) + bottom)


def agreement(metric: str, figures: Figures, opinions: Figures) -> Agreement:
    """figures, opinions: [V]; videos without one of the two are left out.

    Raises InputError for fewer than five, or figures that are all the same.
    """
    try:
        from scipy import stats
    except ImportError:
        raise MissingError(
            "SciPy, which fits curves, is not installed.", "pip install 'facewire[bench]'"
        ) from None

    figures, opinions = np.asarray(figures, np.float64), np.asarray(opinions, np.float64)
    known = np.isfinite(figures) & np.isfinite(opinions)
    x, y = figures[known], opinions[known]
    if len(x) < LEAST_VIDEOS or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise InputError(
            f"{metric}: {len(x)} videos that differ say nothing about agreement",
            f"Rate at least {LEAST_VIDEOS} videos of different quality.",
        )
    eta = fit_logistic(x, y)
    mapped = logistic(x, eta)
    return Agreement(
        metric,
        plcc=float(stats.pearsonr(mapped, y)[0]) if np.ptp(mapped) > 0 else 0.0,
        srcc=abs(float(stats.spearmanr(x, y)[0])),
        krcc=abs(float(stats.kendalltau(x, y)[0])),
        rmse=float(np.sqrt(np.mean((mapped - y) ** 2))),
        eta=eta,
        videos=len(x),
    )


def fit_logistic(x: Figures, y: Figures) -> tuple[float, float, float, float]:
    """Least squares from a start on either side; the better fit."""
    from scipy.optimize import least_squares

    scale = float(np.std(x))
    z = (x - np.mean(x)) / scale  # so that one start does for every metric's unit
    best = None
    for top, bottom in ((y.max(), y.min()), (y.min(), y.max())):
        for width in (0.3, 1.0):
            found = least_squares(
                lambda eta: logistic(z, eta) - y, (top, bottom, 0.0, width), max_nfev=2000
            )
            if best is None or found.cost < best.cost:
                best = found
    assert best is not None
    top, bottom, middle, width = best.x
    return float(top), float(bottom), float(middle * scale + np.mean(x)), float(width * scale)
