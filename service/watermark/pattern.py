"""Where a watermark's bits lie: in low frequencies of the whole picture.

Spread spectrum in the DCT of the whole picture (Cox, Kilian, Leighton, Shamoon, "Secure spread
spectrum watermarking for multimedia", IEEE Trans. Image Processing 6(12), 1997).  A frequency
counts half cycles across the picture, whatever its size: scaled pictures carry the same pattern.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.watermark.payload import BITS

LOWEST, HIGHEST = 4.0, 18.0  # half cycles across the picture, over both axes together
_SLOPE = -1.0  # of a frequency's amplitude over the frequency, both as logarithms
_NAME = b"facewire watermark 1"
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Pattern:
    """rows, columns: [M] frequencies.  chips: [BITS, M], of each bit what it is made of; rows of
    length 1 that share no frequency."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    chips: Array

    def spectrum(self, values: NDArray[Any]) -> NDArray[Any]:
        """[BITS] -> [K, K]: the coefficients of a picture that holds them."""
        out = np.zeros((order(), order()), values.dtype)
        out[self.rows, self.columns] = values @ self.chips
        return out

    def values(self, spectrum: NDArray[Any]) -> NDArray[Any]:
        """[..., K, K] -> [..., BITS]: what `spectrum` put in."""
        return spectrum[..., self.rows, self.columns] @ self.chips.T


def order() -> int:
    """K: frequencies along each axis, 0 among them."""
    return int(HIGHEST) + 1


@cache
def pattern() -> Pattern:
    """The one pattern of all watermarks: whoever has this file can read them."""
    u, v = np.meshgrid(np.arange(order()), np.arange(order()), indexing="ij")
    radius = np.hypot(u, v)
    rows, columns = np.nonzero((radius >= LOWEST) & (radius <= HIGHEST) & (u > 0) & (v > 0))
    # By SHAKE and not by a library's generator, which may change with its version.
    noise = np.frombuffer(hashlib.shake_256(_NAME).digest(5 * len(rows)), np.uint8)
    turn = np.argsort(noise[: 4 * len(rows)].copy().view(">u4"), kind="stable")
    rows, columns = rows[turn], columns[turn]
    sign = (noise[4 * len(rows) :] & 1) * 2.0 - 1.0
    chips = np.zeros((BITS, len(rows)), np.float32)
    chips[np.arange(len(rows)) % BITS, np.arange(len(rows))] = (
        sign * radius[rows, columns] ** _SLOPE
    )
    chips /= np.linalg.norm(chips, axis=1, keepdims=True)
    return Pattern(rows, columns, chips)


@cache
def waves(size: int) -> Array:
    """[K, size]: half cycles 0 to K - 1 over `size` pixels, the DCT-II's rows, of mean square 1."""
    place = np.pi * (np.arange(size) + 0.5) / size
    return (np.sqrt(2.0) * np.cos(np.arange(order())[:, None] * place)).astype(np.float32)


def luma_of(picture: NDArray[np.uint8]) -> Array:
    """[H, W, 3] RGB -> [H, W], 0 to 255."""
    return picture @ _LUMA


def drawn(spectrum: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """[K, K] -> [height, width]; the picture's mean square is the coefficients' sum of squares."""
    return waves(height).T @ spectrum @ waves(width)


def seen(picture: NDArray[Any]) -> NDArray[Any]:
    """[H, W] -> [K, K], the inverse of `drawn`."""
    height, width = picture.shape
    return waves(height) @ picture @ waves(width).T / np.float32(height * width)
