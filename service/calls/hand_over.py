"""From the fallback to the avatar and back: which of the two is shown, and how much of each.

No clock: `now` is in microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codec.session.events import AVATAR, FALLBACK
from codec.session.playout import Shown

Picture = NDArray[np.uint8]
NOTHING = "nothing"


@dataclass(frozen=True)
class HandOverSettings:
    """fade: microseconds from one to the other.  reach: the farthest, in shares of a picture's
    side, that one may lie from the other and still be moved to meet it.  sure: the least response
    of the phase correlation that is believed.  plain: grey levels; a picture that deviates less
    from its mean has nothing to be found by."""

    fade: int = 400_000
    reach: float = 0.06
    sure: float = 0.3
    plain: float = 4.0


class HandOver:
    """Says how much of the avatar to show, from 0 (the fallback) to 1."""

    def __init__(self, settings: HandOverSettings = HandOverSettings()) -> None:
        self._settings = settings
        self._share: float | None = None  # of the avatar; None while neither is there
        self._at = 0
        self.carried = NOTHING

    @property
    def shown(self) -> str:
        """The one that is seen alone, AVATAR or FALLBACK; NOTHING during a cross-fade, too."""
        return {0.0: FALLBACK, 1.0: AVATAR}.get(
            -1.0 if self._share is None else self._share, NOTHING
        )

    def step(self, now: int, avatar: Shown | None, fallback: Shown | None) -> float:
        """avatar, fallback: what either has to show now."""
        passed, self._at = max(0, now - self._at), max(now, self._at)
        if _alive(avatar) or (avatar is not None and fallback is None):
            wanted, self.carried = 1.0, AVATAR
        elif fallback is not None and (_alive(fallback) or avatar is None):
            wanted, self.carried = 0.0, FALLBACK
        elif avatar is None:
            wanted, self.carried = 0.0, NOTHING
        else:
            # Neither goes on: what is shown stays.
            wanted = 0.0 if self.carried == FALLBACK else 1.0
        if self._share is None or avatar is None or fallback is None:
            # There is nothing to fade from: without one of them the other is all there is.
            self._share = wanted if avatar is not None or fallback is not None else None
            return wanted
        step = passed / self._settings.fade
        self._share += float(np.clip(wanted - self._share, -step, step))
        return self._share


def _alive(shown: Shown | None) -> bool:
    return shown is not None and shown.visible and shown.how != "neutral"


def blended(
    fallback: Picture,
    avatar: Picture,
    share: float,
    settings: HandOverSettings = HandOverSettings(),
) -> Picture:
    """Two [H, W, 3] RGB pictures of the same moment as one: both are moved to where the share puts
    them between each other, so that nothing is seen twice and nothing jumps."""
    import cv2

    across, down = _offset(fallback, avatar, settings)
    first = _moved(fallback, share * across, share * down)
    second = _moved(avatar, (share - 1) * across, (share - 1) * down)
    return np.asarray(cv2.addWeighted(first, 1 - share, second, share, 0.0), np.uint8)


def _offset(first: Picture, second: Picture, settings: HandOverSettings) -> tuple[float, float]:
    """Pixels right and down that the second lies from the first, by phase correlation; none where
    they differ by more than that."""
    import cv2

    greys = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float32) for p in (first, second)]
    if min(grey.std() for grey in greys) < settings.plain:
        return 0.0, 0.0
    height, width = greys[0].shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    # Without their means, or the window's own shape is what is found in both.
    level = [grey - grey.mean() for grey in greys]
    (across, down), sure = cv2.phaseCorrelate(level[0], level[1], window)
    near = max(abs(across), abs(down)) <= settings.reach * min(width, height)
    return (across, down) if near and sure >= settings.sure else (0.0, 0.0)


def _moved(picture: Picture, across: float, down: float) -> Picture:
    import cv2

    if max(abs(across), abs(down)) < 0.05:
        return picture
    matrix = np.array([[1, 0, across], [0, 1, down]], np.float32)
    size = picture.shape[1], picture.shape[0]
    moved = cv2.warpAffine(
        picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)
