"""Who is who among clips, by their faces' descriptors, so that a split is one by person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAME_PERSON = 0.45  # cosine above which two clips show one person


def same_people(signs: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Descriptors by clip -> a person's number by clip: clips joined by a chain of likenesses."""
    names = sorted(signs)
    person = np.arange(len(names))
    likeness = np.stack([signs[n] for n in names]) @ np.stack([signs[n] for n in names]).T
    for i, j in zip(*np.nonzero(likeness > SAME_PERSON), strict=True):
        person[person == person[j]] = person[i]
    numbers = np.unique(person, return_inverse=True)[1]
    return dict(zip(names, numbers.tolist(), strict=True))
