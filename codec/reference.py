"""The coders to beat: what the field's open face codecs do, on the same symbols.

Both code zero-order Exp-Golomb binarised differences to the frame before, start every frame anew,
and are counted as whole bytes a frame, as one file a frame has.  The field's own is of order 0;
the other, stronger one adapts a probability for each place in the binarisation, and really writes
and reads its files.  Only measurements use them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from avatar.errors import StreamError
from codec.bits import unzigzag, zigzag
from codec.entropy import BinaryDecoder, BinaryEncoder
from codec.models import Coder, FlagModel

_PLACES = 40
_END = 2

Symbols = NDArray[np.int64]  # [F, D]


def order_0_bytes(symbols: Symbols) -> int:
    """Bytes of the field's own coder, the first frame as differences to 0.

    An adaptive arithmetic coder of order 0 over the string's bits and its end: prediction by
    partial matching, with an escape before a bit's first time, as in the GFVC software (Chen et
    al., "Generative face video coding techniques and standardization efforts", 2024).  Its ideal
    cost, rounded up to bytes.
    """
    return sum(_order_0([zigzag(value) for value in row]) for row in _steps(symbols).tolist())


def _order_0(values: Sequence[int]) -> int:
    counts = [0, 0, 1]  # of 0, 1, and what escapes to even chances
    bits = 0.0
    for value in values:
        length = (value + 1).bit_length()
        text = "0" * (length - 1) + f"{value + 1:b}"
        for bit in map(int, text):
            if counts[bit]:
                bits += math.log2(sum(counts) / counts[bit])
            else:
                bits += math.log2(sum(counts) * 3)
            counts[bit] += 1
    bits += math.log2(sum(counts) / counts[_END] * 3)
    return math.ceil(bits / 8)


def placed_bytes(symbols: Symbols) -> int:
    """Bytes of the stronger coder's files together."""
    return sum(map(len, placed_frames(symbols)))


def placed_frames(symbols: Symbols) -> list[bytes]:
    """One file a frame, the first as differences to 0."""
    files = []
    for row in _steps(symbols).tolist():
        coder = BinaryEncoder()
        _placed(coder, row)
        files.append(coder.finish())
    return files


def placed_symbols(files: Sequence[bytes], width: int) -> Symbols:
    """[F, width] of files that `placed_frames` made.  Raises StreamError for others."""
    differences = [_placed(BinaryDecoder(data), [None] * width) for data in files]
    return np.cumsum(np.array(differences, np.int64).reshape(-1, width), axis=0)


def _placed(coder: Coder, differences: Sequence[int | None]) -> list[int]:
    """A frame's differences; a decoder passes None for each and gets them."""
    prefix = FlagModel(_PLACES, 1 << 15)
    suffix = FlagModel(_PLACES, 1 << 15)
    return [_number(coder, prefix, suffix, difference) for difference in differences]


def _number(coder: Coder, prefix: FlagModel, suffix: FlagModel, difference: int | None) -> int:
    known = None if difference is None else zigzag(difference) + 1
    bits = 0
    while prefix.code(coder, None if known is None else known.bit_length() - 1 > bits, bits):
        bits += 1
        if bits >= _PLACES:
            raise StreamError("a coded number is too large", field="symbol")
    value = 1
    for place in range(bits - 1, -1, -1):
        value = value << 1 | suffix.code(
            coder, None if known is None else (known >> place) & 1, place
        )
    return unzigzag(value - 1)


def _steps(symbols: Symbols) -> Symbols:
    return np.diff(symbols, axis=0, prepend=np.zeros((1, symbols.shape[1]), np.int64))
