"""Reads the watermark of a video that nothing else is known of: size, codec, what was cut off.

A second of pictures becomes one: the part of each that swings at the watermark's own rate.  What
moves swings too, and by far more; it is held down to what a watermark could be before the bits are
correlated with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.watermark.mark import TURN
from service.watermark.pattern import drawn, luma_of, order, pattern, seen
from service.watermark.payload import BITS, prefix_of

_GRID = 64  # pixels a side on which the swing is held down
_FAINTEST = 1e-3  # levels: what is less is rounding, not noise
_FEWEST = 6  # pictures of a stretch from which something is read

Array = NDArray[Any]


@dataclass(frozen=True)
class ReaderSettings:
    """stretch: microseconds that are looked at together, more where pictures are few.  limit: how
    far a place of the picture may swing, in medians over all of them."""

    stretch: int = 1_000_000
    limit: float = 1.2


@dataclass(frozen=True)
class Reading:
    """prefix: the first digits of the avatar's digest; None where no watermark was found.
    bits: [BITS], their sign is what was read.  clarity: how much they stand out over noise, 1
    where there is nothing else.  seconds: that were looked at."""

    prefix: str | None
    bits: NDArray[np.float64]
    clarity: float
    seconds: float


class WatermarkReader:
    """Takes pictures in the order of their times, and reads when asked."""

    def __init__(self, settings: ReaderSettings = ReaderSettings()) -> None:
        self._settings = settings
        self._times: list[int] = []
        self._spectra: list[Array] = []
        self._sum = np.zeros(BITS, np.complex128)
        self._looked = 0

    def add(self, picture: NDArray[np.uint8], time: int) -> None:
        """picture: [H, W, 3] RGB.  time: microseconds."""
        whole = self._times and time - self._times[0] >= self._settings.stretch
        if whole and len(self._times) >= 2 * _FEWEST:
            self._close()
        self._times.append(time)
        self._spectra.append(seen(luma_of(picture)))

    def read(self) -> Reading:
        """Of all that was added.  It may go on afterwards."""
        if self._times:
            self._close()
        # Along the axis on which the bits' swings lie, for all turn their sign at once.
        turned = self._sum * np.exp(-0.5j * np.angle(np.sum(self._sum**2)))
        bits, noise = turned.real, float(np.linalg.norm(turned.imag))
        prefix = prefix_of(bits)
        if prefix is None and (prefix := prefix_of(-bits)) is not None:
            bits = -bits
        clarity = float(np.linalg.norm(bits)) / max(noise, _FAINTEST)
        return Reading(prefix, bits, clarity, self._looked / 1e6)

    def _close(self) -> None:
        times, spectra = np.array(self._times), np.array(self._spectra)
        self._times, self._spectra = [], []
        if len(times) < _FEWEST:
            return
        self._looked += int((times[-1] - times[0]) * len(times) / (len(times) - 1))
        values = pattern().values(self._held_down(_swing(times, spectra)))
        # The clock of one stretch need not be that of another: something may have been cut out.
        self._sum += values * np.exp(-1j * np.angle(np.vdot(self._sum, values)))

    def _held_down(self, swing: Array) -> Array:
        places = drawn(swing, _GRID, _GRID)
        size = np.abs(places)
        limit = self._settings.limit * float(np.median(size))
        return seen(places * (limit / np.maximum(size, limit)) if limit else places)


def _swing(times: Array, spectra: Array) -> Array:
    """[F] and [F, K, K] -> [K, K]: how they swing with the watermark's period, without what stands
    still or drifts, and without frequencies that no watermark has."""
    place = (times - times.mean()) / max(float(np.ptp(times)), 1.0)  # -1/2 to 1/2
    wave = np.cos(np.pi * place) ** 2 * np.exp(-1j * np.pi * (times - times[0]) / TURN)
    steady = np.stack([np.ones_like(place), place])
    wave = wave - (wave @ np.linalg.pinv(steady)) @ steady
    wave /= np.abs(wave).sum() / 2
    kept = np.zeros((order(), order()), bool)
    kept[pattern().rows, pattern().columns] = True
    return np.where(kept, np.tensordot(wave, spectra, 1), 0)
