"""Whether a picture shows the same person: descriptors of faces, by networks that the user has.

CSIM: cosine between the descriptors of reference and picture (as 003's Table 1).  AED: the
distance between them (Siarohin et al., NeurIPS 2019).  The network is MobileFaceNet, or dlib's
(`bench.metrics.dlib_identity`), which trains nothing here and so judges what MobileFaceNet trained;
figures of one network are on another scale than the other's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.assets import has_asset
from bench.metrics.metric import Frames, Metric
from bench.metrics.tracked import missing as tracker_missing
from bench.metrics.tracked import tracked
from bench.regions import WHOLE

STRIDE = 5  # every so many-th frame is described: who it is does not change between
_NETWORK = "MobileFaceNet.onnx"


def csim(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F] -1..1; NaN between described frames and where no face is found in both."""
    mine, theirs = descriptors(reference, pictures, _describer)
    return np.einsum("fd,fd->f", mine, theirs)


def aed(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
    """[F] 0..2, NaN as above."""
    mine, theirs = descriptors(reference, pictures, _describer)
    return np.asarray(np.linalg.norm(mine - theirs, axis=1))


def descriptors(
    reference: Frames, pictures: Frames, describer: Callable[[], Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[F, 128] each, as `describer().describe(picture, landmarks)` gives them, NaN where not
    described."""
    pair = tracked(reference, pictures)
    both = pair[0].found & pair[1].found
    found = []
    for frames, seen in zip((reference, pictures), pair, strict=True):
        signs = np.full((len(frames), 128), np.nan)
        scale = max(frames.shape[1:3]) / 256
        for f in range(0, len(frames), STRIDE):
            if both[f]:
                signs[f] = describer().describe(frames[f], seen.points[f] * scale)
        found.append(signs)
    return found[0], found[1]


@lru_cache(maxsize=1)
def _describer() -> Any:
    from enroll.identity import Describer

    return Describer()


def _missing() -> str:
    if needs := tracker_missing():
        return needs
    return (
        "" if has_asset(_NETWORK) else f"needs {_NETWORK} in a folder that $FACEWIRE_MODELS names"
    )


IDENTITY = (
    Metric("CSIM", "of 1", True, "MobileFaceNet's cosine", csim, _missing, (WHOLE,)),
    Metric("AED", "of 2", False, "MobileFaceNet's distance", aed, _missing, (WHOLE,)),
)
