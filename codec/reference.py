"""The coder to beat: what the field's open face codecs do, on the same symbols.

A per-frame adaptive arithmetic coder of order 0 over zero-order Exp-Golomb binarised differences to
the frame before: every frame starts anew with even chances, one adaptive probability for each place
in the binarisation.  Its cost is counted as whole bytes a frame, as one file a frame has.
Only measurements use it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from avatar.errors import StreamError
from codec.bits import unzigzag, zigzag
from codec.entropy import BinaryDecoder, BinaryEncoder
from codec.models import Coder, FlagModel

_PLACES = 40

Symbols = NDArray[np.int64]  # [F, D]


def reference_frames(symbols: Symbols) -> list[bytes]:
    """One file a frame, the first as differences to 0."""
    files = []
    last = np.zeros(symbols.shape[1], np.int64)
    for row in symbols:
        coder = BinaryEncoder()
        _code(coder, (row - last).tolist())
        files.append(coder.finish())
        last = row
    return files


def reference_symbols(files: Sequence[bytes], width: int) -> Symbols:
    """[F, width] of files that `reference_frames` made.  Raises StreamError for others."""
    differences = [_code(BinaryDecoder(data), [None] * width) for data in files]
    return np.cumsum(np.array(differences, np.int64).reshape(-1, width), axis=0)


def reference_bytes(symbols: Symbols) -> int:
    """Bytes of all files together."""
    return sum(map(len, reference_frames(symbols)))


def _code(coder: Coder, differences: Sequence[int | None]) -> list[int]:
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
