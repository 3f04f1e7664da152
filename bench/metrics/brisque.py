"""BRISQUE: Mittal, Moorthy and Bovik, IEEE TIP 21(12), 2012, by the package `brisque`.

It judges a picture alone; the reference is not looked at.  The support vectors are the authors',
learned from LIVE, and come with the package.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.metric import Frames


def brisque(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F], about 0 for a natural picture to 100 for a bad one."""
    return np.array([float(_judge().score(picture)) for picture in pictures])


def missing() -> str:
    """What it needs, "" where it is here."""
    lacking = [name for name in ("brisque", "libsvm", "cv2") if find_spec(name) is None]
    return "needs pip install 'facewire[brisque]' (and a C++ compiler)" if lacking else ""


@lru_cache(maxsize=1)
def _judge() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the names it uses of SciPy
        from brisque import BRISQUE

        return BRISQUE(url=False)
