"""Bytes in and out, one field at a time.  Sections are those of docs/bitstream.md."""

from __future__ import annotations

from avatar.errors import StreamError

VARINT_BYTES = 9  # section 2: 63 bits, so that every value fits a signed 64-bit integer


def varint(value: int) -> bytes:
    """LEB128 (section 2): 0 <= value < 2**63, seven bits a byte, lowest first."""
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{value} has no varint")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> int:
    """Signed to unsigned, small magnitudes first (section 2): 0, -1, 1, -2 -> 0, 1, 2, 3."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """The inverse of `zigzag`."""
    return -((value + 1) >> 1) if value & 1 else value >> 1


class ByteReader:
    """Reads fields off bytes; every length is checked before it is used.

    what: names the structure in messages.  base: offset of data[0] in the whole stream.
    """

    def __init__(self, data: bytes | memoryview, what: str, base: int = 0) -> None:
        self.data = bytes(data)
        self.what = what
        self.base = base
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def fail(self, message: str, field: str, at: int | None = None) -> StreamError:
        return StreamError(
            f"{self.what}: {message}",
            "Copy the stream again, or read what is intact of it with recover.",
            field=field,
            offset=self.base + (self.at if at is None else at),
        )

    def take(self, count: int, field: str) -> bytes:
        """`count` bytes, or StreamError when fewer are left."""
        if not 0 <= count <= self.left:
            raise self.fail(f"{field} is cut short", field)
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self, size: int, field: str) -> int:
        """An unsigned little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size, field), "little")

    def varint(self, field: str, limit: int = (1 << 63) - 1) -> int:
        """A varint of at most `limit`; non-minimal forms are refused, so bytes are unique."""
        start, value = self.at, 0
        for i in range(VARINT_BYTES):
            byte = self.take(1, field)[0]
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                if i and not byte:
                    raise self.fail(f"{field} is not in its shortest form", field, start)
                break
        else:
            raise self.fail(f"{field} does not end", field, start)
        if value > limit:
            raise self.fail(f"{field} is {value}, more than {limit}", field, start)
        return value

    def blob(self, field: str, limit: int) -> bytes:
        """A varint length of at most `limit`, and that many bytes."""
        return self.take(self.varint(field, limit), field)

    def end(self, field: str) -> None:
        if self.left:
            raise self.fail(f"{self.left} bytes too many", field)
