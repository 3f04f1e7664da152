"""Mean opinion scores from what people said: screening, z-scores, scale.

Letters: S subjects, V videos.  Ratings are [S, V], more is better, NaN where somebody did not see
a video.  Sources: subjects are rejected by ITU-R BT.500-13, Annex 2, 2.3.1; scores are converted
as in Seshadrinathan et al., IEEE TIP 19(6), 2010, which 002 (section III-A) follows.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError

NORMAL = (2.0, 4.0)  # kurtosis between which scores count as normally distributed
NEAR, FAR = 2.0, math.sqrt(20)  # standard deviations, for normal and for other distributions
SHARE, LOPSIDED = 0.05, 0.3  # of scores outside; of those above against those below
LEAST_SUBJECTS = 3

Ratings = NDArray[np.float64]


@dataclass(frozen=True)
class Opinions:
    """score: [V] 0..100, mean over the subjects kept, NaN for a video set aside.  error: [V] half
    of its 95 % interval.  kept: [S] bool, subjects.  agreed: [V] bool, videos on which they
    agree."""

    score: NDArray[np.float64]
    error: NDArray[np.float64]
    kept: NDArray[np.bool_]
    agreed: NDArray[np.bool_]


def mean_opinions(ratings: Ratings) -> Opinions:
    """Videos that people disagree about and subjects who disagree with all are set aside, the
    rest become z-scores of each subject and go to 0..100 as 100 (z + 3) / 6.

    Raises InputError for fewer than three subjects, or one whose scores are all the same.
    """
    ratings = _checked(ratings)
    agreed = agreed_videos(ratings)
    kept = ~rejected_subjects(ratings[:, agreed])
    z = z_scores(ratings[kept])
    z[:, ~agreed] = np.nan
    scaled = 100 * (z + 3) / 6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a video that nobody is left for
        score = np.nanmean(scaled, axis=0)
        spread = np.nanstd(scaled, axis=0, ddof=1)
    count = np.isfinite(scaled).sum(axis=0)
    error = 1.96 * spread / np.sqrt(np.maximum(count, 1))
    return Opinions(score, error, kept, agreed)


def z_scores(ratings: Ratings) -> Ratings:
    """Each subject's scores around that subject's mean, in its standard deviations."""
    mean = np.nanmean(ratings, axis=1, keepdims=True)
    spread = np.nanstd(ratings, axis=1, ddof=1, keepdims=True)
    if (spread == 0).any():
        who = int(np.flatnonzero(spread == 0)[0])
        raise InputError(
            f"subject {who} gave every video the same score", "Leave that subject out."
        )
    return np.asarray((ratings - mean) / spread)


def rejected_subjects(ratings: Ratings) -> NDArray[np.bool_]:
    """[S] those who are far from the others too often and to both sides: more than 5 % of their
    scores outside, and those above and below about as many."""
    mean, spread, kurtosis = _moments(ratings)
    normal = (kurtosis >= NORMAL[0]) & (kurtosis <= NORMAL[1])
    reach = np.where(normal, NEAR, FAR) * spread
    above = (ratings >= mean + reach).sum(axis=1)
    below = (ratings <= mean - reach).sum(axis=1)
    outside = above + below
    seen = np.isfinite(ratings).sum(axis=1)
    often = outside > SHARE * seen
    even = np.abs(above - below) < LOPSIDED * np.maximum(outside, 1)
    return np.asarray(often & even)


def agreed_videos(ratings: Ratings) -> NDArray[np.bool_]:
    """[V] those whose scores do not scatter unusually: interquartile range of the z-scores at
    most 1.5 interquartile ranges above the upper quartile of all videos' (Tukey's fence)."""
    low, high = np.nanpercentile(z_scores(ratings), [25, 75], axis=0)
    scatter = high - low
    first, third = np.nanpercentile(scatter, [25, 75])
    return np.asarray(scatter <= third + 1.5 * (third - first))


def _moments(ratings: Ratings) -> tuple[Any, Any, Any]:
    """Of each video's scores: mean, standard deviation, kurtosis (3 for a normal one)."""
    mean = np.nanmean(ratings, axis=0)
    apart = ratings - mean
    second, fourth = np.nanmean(apart**2, axis=0), np.nanmean(apart**4, axis=0)
    kurtosis = np.where(second > 0, fourth / np.maximum(second, 1e-12) ** 2, 3.0)
    spread = np.nanstd(ratings, axis=0, ddof=1)
    return mean, np.maximum(spread, 1e-9), kurtosis


def _checked(ratings: Ratings) -> Ratings:
    ratings = np.asarray(ratings, np.float64)
    if ratings.ndim != 2 or len(ratings) < LEAST_SUBJECTS or ratings.shape[1] < 2:
        raise InputError(
            f"ratings of shape {ratings.shape} are no study",
            f"Give two videos or more, rated by {LEAST_SUBJECTS} subjects or more.",
        )
    return ratings
