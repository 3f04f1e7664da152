"""What animated pictures are off from what was filmed, coded: RDAC's second stream.

    data = encode_residuals(filmed, animated, ResidualSettings(qp))
    for made, off in zip(animated, decode_residuals(data, side, count)): corrected(made, off)

Konuko, Lathuiliere and Valenzise, "Predictive coding for animation-based video compression", ICIP
2023, code the residual by a learned image codec, each predicted from the decoded one before it.
That codec learns together with their animation; the trainer that all methods share trains none, so
that a classic one stands in its place: residuals are pictures about a middle grey, each predicted
from those before it.  After `window` of them, 8 in 002 (section 3.2.2), it begins anew, so that no
error goes on for longer.  Residuals are predicted from decoded residuals alone, never from what a
network makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codec.bits import ByteReader, varint
from codec.mttf.classic import CODECS, decode_pictures, encode_pictures

Picture = NDArray[np.uint8]
Residual = NDArray[np.int16]
_GREY = 130  # nothing is off: luma is 128 there, what a codec takes for granted
_MOST = 125  # levels to both sides of it


@dataclass(frozen=True)
class ResidualSettings:
    """qp: of all residuals alike.  codec: of `codec.mttf.classic.CODECS`, not vvc.  window:
    residuals until they begin anew, 1 to 255."""

    qp: int
    codec: str = "hevc"
    window: int = 8


def encode_residuals(
    filmed: Sequence[Picture], animated: Sequence[Picture], settings: ResidualSettings
) -> bytes:
    """Pictures [side, side, 3] as filmed and as the receiver animates them, equally many -> the
    codec's number (u8), the window (u8), and for each window the bytes (varint) of its stream.

    Where they are off by more than 125 levels, 125 are sent.  Raises InputError, MissingError as
    `encode_pictures`.
    """
    codec = CODECS[settings.codec]
    out = bytes([codec.number, settings.window])
    for begin in range(0, len(filmed), settings.window):
        part = slice(begin, begin + settings.window)
        off = [_shown(a, b) for a, b in zip(filmed[part], animated[part], strict=True)]
        data = encode_pictures(off, codec.name, settings.qp)
        out += varint(len(data)) + data
    return out


def decode_residuals(data: bytes, side: int, count: int) -> Iterator[Residual]:
    """What `encode_residuals` wrote -> `count` residuals [side, side, 3], -125 .. 125 levels, one
    after the other.  Raises StreamError for bytes that are not these."""
    reader = ByteReader(data, "residual")
    number, window = reader.integer(1, "codec"), reader.integer(1, "window")
    if not window:
        raise reader.fail("a window of nothing", "window")
    while count > 0:
        group = reader.blob("stream", reader.left)
        for picture in decode_pictures(group, number, side, min(window, count), "residual"):
            yield (picture.astype(np.int16) - _GREY).clip(-_MOST, _MOST)
        count -= window
    reader.end("stream")


def corrected(animated: Picture, residual: Residual) -> Picture:
    """The animated picture and what it is off: [side, side, 3]."""
    return np.clip(animated + residual, 0, 255).astype(np.uint8)


def _shown(filmed: Picture, animated: Picture) -> Picture:
    off = filmed.astype(np.int16) - animated
    return (off.clip(-_MOST, _MOST) + _GREY).astype(np.uint8)
