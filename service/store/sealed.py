"""The sealed file: bytes under AES-256-GCM in chunks, so that any part can be opened alone.

    header   8 magic | 2 version | 2 log2 of the chunk's size | 4 zero | 32 salt
    chunk i  AES-GCM(K, nonce = i in 11 bytes + last in 1 byte, aad = header): 65536 bytes + 16

K is HKDF-SHA256 of the caller's key and the salt, so a nonce never meets the same key in another
file.  The flag on the last chunk makes a file that was cut short fail to open.  The construction
is STREAM (Hoang, Reyhanitabar, Rogaway, Vizar 2015) as `age` has it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from avatar.errors import ArchiveError
from service.store.keys import KEY_BYTES, derived

MAGIC = b"\x93FWS\r\n\x1a\n"
VERSION = 1
CHUNK = 1 << 16  # bytes of plain text
TAG = 16
_FIXED = struct.Struct(">8sHHI32s")
HEADER = _FIXED.size
_PURPOSE = b"facewire sealed file 1"
_CURE = "Fetch it again, with a fresh lease."


class Sealer:
    """The chunks of one file.  key: 32 bytes.  salt: 32 bytes, of this file alone."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self.header = _FIXED.pack(MAGIC, VERSION, CHUNK.bit_length() - 1, 0, salt)
        self._cipher = AESGCM(derived(key, salt, _PURPOSE))

    @classmethod
    def of(cls, header: bytes, key: bytes) -> Sealer:
        """For a file that begins with `header`.  Raises ArchiveError."""
        if len(header) < HEADER or header[:8] != MAGIC:
            raise ArchiveError("sealed file: this is none (magic at byte 0)", _CURE)
        _, version, power, reserved, salt = _FIXED.unpack_from(header)
        if (version, 1 << power if power < 32 else 0, reserved) != (VERSION, CHUNK, 0):
            raise ArchiveError(f"sealed file: version {version}.{power} is not known here", _CURE)
        return cls(key, salt)

    def seal(self, index: int, plain: bytes, last: bool) -> bytes:
        return self._cipher.encrypt(_nonce(index, last), plain, self.header)

    def open(self, index: int, sealed: bytes, last: bool) -> bytes:
        """Raises ArchiveError for a wrong key, damage, or a chunk from another place."""
        try:
            return self._cipher.decrypt(_nonce(index, last), sealed, self.header)
        except (InvalidTag, ValueError):
            raise ArchiveError(
                f"sealed file: chunk {index} does not open: a wrong key, or damage", _CURE
            ) from None


class SealedFile:
    """The plain text of a sealed file.  file: open for reading, at any place.

    Raises ArchiveError, also while reading.
    """

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ArchiveError(f"sealed file: a key of {len(key)} bytes, not {KEY_BYTES}", _CURE)
        self._file = file
        length = file.seek(0, 2)
        file.seek(0)
        self._sealer = Sealer.of(file.read(HEADER), key)
        whole, rest = divmod(length - HEADER, CHUNK + TAG)
        if rest < TAG and not (rest == 0 and whole):
            raise ArchiveError(f"sealed file: cut short, only {length} bytes are there", _CURE)
        self.chunks = whole + (rest > 0)
        self.size = length - HEADER - TAG * self.chunks

    @classmethod
    def of(cls, file: IO[bytes], key: bytes) -> SealedFile:
        """Takes the file over: it is closed where it is none that opens."""
        try:
            return cls(file, key)
        except Exception:
            file.close()
            raise

    def chunk(self, index: int) -> bytes:
        self._file.seek(HEADER + index * (CHUNK + TAG))
        return self._sealer.open(index, self._file.read(CHUNK + TAG), last=index == self.chunks - 1)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The plain bytes start..stop in order; 0 <= start <= stop <= size."""
        for index in range(start // CHUNK, -(-stop // CHUNK)):
            first = index * CHUNK
            yield self.chunk(index)[max(start - first, 0) : stop - first]

    def whole(self) -> bytes:
        """All of it, and closes it."""
        try:
            return b"".join(self.read(0, self.size))
        finally:
            self.close()

    def close(self) -> None:
        self._file.close()


class Resealed:
    """A sealed file as it looks under another key, made while it is read: the same bytes each
    time for the same key and salt, so that a download can go on where it stopped."""

    def __init__(self, source: SealedFile, key: bytes, salt: bytes) -> None:
        self.source = source
        self._sealer = Sealer(key, salt)
        self.size = sealed_size(source.size)

    def reach(self, stop: int) -> int:
        """How many of the sealed bytes, from the start, the plain ones up to `stop` open with."""
        return min(HEADER + -(-stop // CHUNK) * (CHUNK + TAG), self.size)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The sealed bytes start..stop in order; 0 <= start <= stop <= size."""
        if start < min(stop, HEADER):
            yield self._sealer.header[start:stop]
        span = CHUNK + TAG
        for index in range(max(start - HEADER, 0) // span, -(-max(stop - HEADER, 0) // span)):
            first = HEADER + index * span
            last = index == self.source.chunks - 1
            sealed = self._sealer.seal(index, self.source.chunk(index), last)
            yield sealed[max(start - first, 0) : stop - first]

    def close(self) -> None:
        self.source.close()


def sealed(data: Iterable[bytes], key: bytes, salt: bytes) -> Iterator[bytes]:
    """A sealed file, in pieces, of data that comes in pieces."""
    sealer = Sealer(key, salt)
    yield sealer.header
    held, index = b"", 0
    for piece in data:
        held += piece
        while len(held) > CHUNK:  # never all of it: the last chunk is sealed as the last
            yield sealer.seal(index, held[:CHUNK], last=False)
            held, index = held[CHUNK:], index + 1
    yield sealer.seal(index, held, last=True)


def opened(data: bytes, key: bytes, size: int) -> bytes:
    """The plain text of all chunks that are whole in `data`, the first bytes of a sealed file of
    `size` bytes.  Raises ArchiveError."""
    if not len(data) <= size:
        raise ArchiveError(f"sealed file: {len(data)} bytes of {size}", _CURE)
    if len(data) == size:
        whole = SealedFile(io.BytesIO(data), key)
        return b"".join(whole.read(0, whole.size))
    sealer, span = Sealer.of(data, key), CHUNK + TAG
    chunks = (len(data) - HEADER) // span
    last = -(-(size - HEADER) // span) - 1
    starts = ((i, HEADER + i * span) for i in range(chunks))
    return b"".join(sealer.open(i, data[at : at + span], i == last) for i, at in starts)


def sealed_size(size: int) -> int:
    """Bytes of a sealed file that holds `size` bytes."""
    return HEADER + size + TAG * max(1, -(-size // CHUNK))


def _nonce(index: int, last: bool) -> bytes:
    return index.to_bytes(11, "big") + (b"\x01" if last else b"\x00")
