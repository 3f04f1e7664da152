"""What a watermark says: the first 32 bits of an avatar's digest, and their CRC-32."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

PREFIX = 4  # bytes of the digest
NO_AVATAR = "00" * PREFIX  # instead of it, in pictures that were made without one
BITS = 8 * (PREFIX + 4)


def bits_of(digest: str) -> NDArray[np.float32]:
    """digest: hexadecimal, of an avatar -> [BITS] of 1 and -1."""
    prefix = bytes.fromhex(digest)[:PREFIX]
    data = prefix + zlib.crc32(prefix).to_bytes(4, "big")
    return np.unpackbits(np.frombuffer(data, np.uint8)).astype(np.float32) * 2 - 1


def prefix_of(bits: NDArray[np.floating]) -> str | None:
    """[BITS], positive for 1 -> the digest's first digits; None where the CRC does not fit."""
    data = np.packbits(np.asarray(bits) > 0).tobytes()
    prefix, check = data[:PREFIX], int.from_bytes(data[PREFIX:], "big")
    return prefix.hex() if zlib.crc32(prefix) == check else None
