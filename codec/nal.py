"""NAL units of HEVC, AVC and VVC byte streams as far as SEI messages need them.

Bits are most significant first; ue(v) and u(n) as in H.265 section 9.2.  Pictures are counted in
decoding order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from avatar.errors import InputError, StreamError

MAX_PAYLOAD = 1 << 20  # bytes of one SEI message
_MOST_ZEROS = 32  # leading zeros of an Exp-Golomb code


class BitWriter:
    """Bits to bytes."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def u(self, bits: int, value: int) -> None:
        if not 0 <= value < 1 << bits:
            raise InputError(f"{value} does not fit in {bits} bits")
        self._value = self._value << bits | value
        self._count += bits

    def flag(self, value: bool) -> None:
        self.u(1, int(value))

    def ue(self, value: int) -> None:
        """Exp-Golomb of order 0."""
        if not 0 <= value < (1 << _MOST_ZEROS) - 1:
            raise InputError(f"{value} has no ue(v) code of 32 bits")
        self.u(2 * (value + 1).bit_length() - 1, value + 1)

    def align(self) -> None:
        """Zero bits to the next byte."""
        self.u(-self._count % 8, 0)

    def data(self, data: bytes) -> None:
        """Whole bytes, at a byte's start."""
        self.u(8 * len(data), int.from_bytes(data, "big"))

    def payload(self) -> bytes:
        """All of it; an unfinished last byte is ended by a one and zeros, as SEI payloads are."""
        value, count = self._value, self._count
        if count % 8:
            pad = -count % 8
            value, count = value << pad | 1 << (pad - 1), count + pad
        return value.to_bytes(count // 8, "big")


class BitReader:
    """Bytes to bits; StreamError, with the field's name, where they end."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self.at = 0  # bits

    @property
    def left(self) -> int:
        return 8 * len(self._data) - self.at

    def fail(self, message: str, field: str) -> StreamError:
        return StreamError(f"{self._what}: {message}", field=field, offset=self.at // 8)

    def u(self, bits: int, field: str) -> int:
        if bits > self.left:
            raise self.fail(f"{field} is cut short", field)
        first, last = self.at // 8, (self.at + bits + 7) // 8
        value = int.from_bytes(self._data[first:last], "big")
        self.at += bits
        return value >> (8 * last - self.at) & ((1 << bits) - 1)

    def flag(self, field: str) -> bool:
        return bool(self.u(1, field))

    def ue(self, field: str, limit: int = (1 << _MOST_ZEROS) - 2) -> int:
        zeros = 0
        while not self.u(1, field):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise self.fail(f"{field} has no end", field)
        value = (1 << zeros | self.u(zeros, field)) - 1
        if value > limit:
            raise self.fail(f"{field} is {value}, more than {limit}", field)
        return value

    def align(self, field: str) -> None:
        if self.u(-self.at % 8, field):
            raise self.fail(f"{field}: padding that is not zero", field)

    def text(self, field: str) -> str:
        """st(v): UTF-8 up to a zero byte."""
        start = self.at // 8
        end = self._data.find(0, start)
        if end < 0:
            raise self.fail(f"{field} has no end", field)
        self.at = 8 * (end + 1)
        try:
            return self._data[start:end].decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail(f"{field} is not UTF-8", field) from None

    def rest(self) -> bytes:
        """The whole bytes that are left, at a byte's start."""
        data = self._data[self.at // 8 :]
        self.at = 8 * len(self._data)
        return data

    def end(self) -> None:
        """Nothing, or a one and zeros up to the byte's end."""
        if self.left > 7:
            raise self.fail(f"{self.left // 8} bytes too many", "end")
        if self.left and self.u(self.left, "end").bit_count() != 1:
            raise self.fail("the last bits are no end", "end")


@dataclass(frozen=True)
class Syntax:
    """How one standard's NAL units look.  header: bytes before the payload.  sei: types of NAL
    units with SEI messages; written: the header of the one that is written.  after: it follows
    its picture (suffix SEI); AVC has none such."""

    header: int
    sei: tuple[int, ...]
    written: bytes
    after: bool

    def type_of(self, unit: bytes) -> int:
        if self.header == 1:
            return unit[0] & 31
        return unit[1] >> 3 if self is SYNTAXES["vvc"] else unit[0] >> 1 & 63


SYNTAXES = {
    "avc": Syntax(1, (6,), bytes([6]), False),
    "hevc": Syntax(2, (39, 40), bytes([40 << 1, 1]), True),
    "vvc": Syntax(2, (23, 24), bytes([0, 24 << 3 | 1]), True),
}
_VVC_PICTURE_HEADER = 19


def syntax_of(name: str) -> Syntax:
    if name not in SYNTAXES:
        raise InputError(f"no NAL units are known of {name!r}", f"Choose from {list(SYNTAXES)}.")
    return SYNTAXES[name]


def units(stream: bytes) -> Iterator[bytes]:
    """NAL units of a byte stream (Annex B), without start codes and the zeros before them."""
    at = stream.find(b"\0\0\1")
    while at >= 0:
        following = stream.find(b"\0\0\1", at + 3)
        unit = stream[at + 3 : following if following >= 0 else len(stream)].rstrip(b"\0")
        if unit:
            yield unit
        at = following


def escaped(data: bytes) -> bytes:
    """Emulation prevention: a 3 before whatever would look like a start code."""
    out, zeros = bytearray(), 0
    for byte in data:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def unescaped(data: bytes) -> bytes:
    out, zeros = bytearray(), 0
    for byte in data:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def sei_unit(name: str, messages: Sequence[tuple[int, bytes]]) -> bytes:
    """One NAL unit with these (payload type, payload) messages, without its start code."""
    body = bytearray()
    for kind, payload in messages:
        if len(payload) > MAX_PAYLOAD:
            raise InputError(f"an SEI message of {len(payload)} bytes is too long")
        for number in (kind, len(payload)):
            body += b"\xff" * (number // 255) + bytes([number % 255])
        body += payload
    return syntax_of(name).written + escaped(bytes(body) + b"\x80")


def sei_messages(unit: bytes, name: str) -> list[tuple[int, bytes]]:
    """(payload type, payload) of an SEI NAL unit; [] for any other.  StreamError for damage."""
    syntax = syntax_of(name)
    if len(unit) <= syntax.header or syntax.type_of(unit) not in syntax.sei:
        return []
    data = unescaped(unit[syntax.header :]).rstrip(b"\0")
    found, at = [], 0

    def number() -> int:
        nonlocal at
        value = 0
        while True:
            if at >= len(data):
                raise StreamError("SEI: a message is cut short", field="payload size", offset=at)
            at += 1
            value += data[at - 1]
            if data[at - 1] != 255:
                return value

    while at < len(data) and not (at == len(data) - 1 and data[at] == 0x80):
        kind, size = number(), number()
        if size > len(data) - at:
            raise StreamError("SEI: a message is cut short", field="payload", offset=at)
        found.append((kind, data[at : at + size]))
        at += size
    return found


def read_sei(stream: bytes, name: str) -> Iterator[tuple[int, int, bytes]]:
    """(picture, payload type, payload) of all SEI messages of a byte stream."""
    syntax, picture = syntax_of(name), -1
    for unit in units(stream):
        picture += _begins(unit, syntax)
        for kind, payload in sei_messages(unit, name):
            # What precedes its picture belongs to the next one.
            after = _follows(unit, syntax)
            yield (max(picture, 0) if after else picture + 1), kind, payload


def pictures(stream: bytes, name: str) -> Iterator[bytes]:
    """A byte stream, picture by picture: each with what stands before it (parameter sets, prefix
    SEI) and what belongs behind it (suffix SEI).  Bytes without a picture are none."""
    syntax = syntax_of(name)
    own: list[bytes] = []
    ahead: list[bytes] = []
    for unit in units(stream):
        if _begins(unit, syntax):
            if own:
                yield _joined(own)
            own, ahead = [*ahead, unit], []
        elif own and (_is_slice(unit, syntax) or _follows(unit, syntax)):
            own.append(unit)
        else:
            ahead.append(unit)
    if own:
        yield _joined([*own, *ahead])


def with_sei(
    stream: bytes, name: str, messages: Mapping[int, Sequence[tuple[int, bytes]]]
) -> bytes:
    """The byte stream with SEI messages by picture: behind it as suffix SEI, in AVC before it.

    A decoder that does not know them shows the same pictures.  Raises InputError for a picture
    that the stream does not have.
    """
    syntax, picture = syntax_of(name), -1
    out: list[bytes] = []
    where: dict[int, int] = {}  # picture -> index in `out` at which its messages go
    for unit in units(stream):
        begins = _begins(unit, syntax)
        picture += begins
        if begins and not syntax.after:
            where[picture] = len(out)
        out.append(unit)
        if syntax.after and _is_slice(unit, syntax):
            where[picture] = len(out)
    missing = set(messages) - set(where)
    if missing:
        raise InputError(f"the stream has no picture {min(missing)}", f"It has {picture + 1}.")
    for number in sorted(messages, reverse=True):
        if messages[number]:
            out.insert(where[number], sei_unit(name, messages[number]))
    return _joined(out)


def _joined(parts: Sequence[bytes]) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in parts)


def _follows(unit: bytes, syntax: Syntax) -> bool:
    """Whether a unit is suffix SEI, of the picture before it."""
    long = len(unit) > syntax.header
    return syntax.after and long and syntax.type_of(unit) == syntax.sei[-1]


def _is_slice(unit: bytes, syntax: Syntax) -> bool:
    if len(unit) <= syntax.header:
        return False
    kind = syntax.type_of(unit)
    if syntax is SYNTAXES["avc"]:
        return 1 <= kind <= 5
    return kind < 32 if syntax is SYNTAXES["hevc"] else kind < 12


def _begins(unit: bytes, syntax: Syntax) -> bool:
    """Whether a picture begins: its first slice, whose first bit says so in all three (HEVC
    first_slice_segment_in_pic_flag, AVC first_mb_in_slice = 0, VVC a picture header within), or
    VVC's own picture header."""
    if _is_slice(unit, syntax):
        return bool(unit[syntax.header] & 0x80)
    vvc = syntax is SYNTAXES["vvc"] and len(unit) > 2
    return vvc and syntax.type_of(unit) == _VVC_PICTURE_HEADER
