"""The invisible watermark that rendered video carries: made by Facewire, of which avatar.

A faint pattern over the whole picture that turns into its negative every 80 ms, so that a reader
tells it from what stands still.  It speaks to those who look for it: who wants it gone can remove
it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.watermark.masking import MaskingSettings, strength
from service.watermark.pattern import drawn, luma_of, pattern
from service.watermark.payload import BITS, bits_of

TURN = 80_000  # us from one sign to the other


class Watermark:
    """Of one avatar.  digest: its own, hexadecimal."""

    def __init__(self, digest: str, settings: MaskingSettings | None = None) -> None:
        self._settings = settings or MaskingSettings()
        self._spectrum = pattern().spectrum(bits_of(digest) / np.float32(BITS**0.5))
        self._drawn = np.zeros((0, 0), np.float32)

    def on(self, picture: NDArray[np.uint8], time: int) -> NDArray[np.uint8]:
        """[H, W, 3] RGB, marked.  time: at which it is shown, microseconds, from any beginning."""
        if self._drawn.shape != picture.shape[:2]:  # one size is shown at a time
            self._drawn = drawn(self._spectrum, *picture.shape[:2])
        sign = -1 if time // TURN % 2 else 1
        added = np.rint(sign * self._drawn * strength(luma_of(picture), self._settings))
        marked = picture + added.astype(np.int16)[:, :, None]
        return np.clip(marked, 0, 255).astype(np.uint8)
