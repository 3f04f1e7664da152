"""Key frames in a call: cut into pieces, asked for where they are missing, named by a number.

No I/O and no clock; times are microseconds.  The wire is docs/mttf.md, section 8.  Motion vectors
do not depend on the key frame that they move: one that is late or lost costs sharpness, not the
picture.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, replace
from typing import ClassVar

from avatar.errors import StreamError
from codec.bits import ByteReader, varint
from codec.mttf.packet import MTTF_KEY, MTTF_REFERENCE, KeyFrame, Reference
from codec.session.datagram import Message

MTTF_REPORT = 18
MTTF_SESSION = 19  # the vectors' own datagrams, docs/bitstream.md section 10.1
CALL_KINDS = frozenset([MTTF_KEY, MTTF_REFERENCE, MTTF_REPORT, MTTF_SESSION])
PIECE = 1000  # bytes, so that a datagram fits any path
TURN = 256
_MOST = 1 << 16  # bytes of a key frame
_REPEAT = 200_000  # between two of the same reference, until it is reported as held
_AGAIN = 100_000  # between two requests
_ANSWER = 60_000  # between two copies of a piece: a request may be older than the last one
_KEPT = 64  # references that a receiver remembers
_PARTS = 4  # key frames that may be half there


@dataclass(frozen=True)
class Piece:
    """One of the `pieces` of key frame `number`, the bytes of `KeyFrame`, whose `frame` is in
    milliseconds of the sender's clock."""

    number: int
    pieces: int
    piece: int
    data: bytes
    kind: ClassVar[int] = MTTF_KEY

    @classmethod
    def parse(cls, body: bytes) -> Piece:
        reader = ByteReader(body, "key frame's piece")
        number, pieces, piece = (reader.integer(1, n) for n in ("number", "pieces", "piece"))
        if piece >= pieces or reader.left > _MOST:
            raise reader.fail(f"piece {piece} of {pieces}", "piece", 2)
        return cls(number, pieces, piece, reader.take(reader.left, "data"))

    def __bytes__(self) -> bytes:
        return bytes([self.number, self.pieces, self.piece]) + self.data


@dataclass(frozen=True)
class Named:
    """Frames from `time` (milliseconds) on are made from key frame `number`."""

    time: int
    number: int
    kind: ClassVar[int] = MTTF_REFERENCE

    @classmethod
    def parse(cls, body: bytes) -> Named:
        reader = ByteReader(body, "key frame's name")
        out = cls(reader.varint("time", 1 << 32), reader.integer(1, "number"))
        reader.end("number")
        return out

    def __bytes__(self) -> bytes:
        return varint(self.time) + bytes([self.number])


@dataclass(frozen=True)
class KeyReport:
    """Whether a receiver holds key frame `number`; if not, which pieces it misses, none named
    where it has none."""

    number: int
    held: bool
    missing: tuple[int, ...] = ()
    kind: ClassVar[int] = MTTF_REPORT

    @classmethod
    def parse(cls, body: bytes) -> KeyReport:
        reader = ByteReader(body, "key report")
        number, held = reader.integer(1, "number"), reader.integer(1, "held")
        if held > 1 or (held and reader.left):
            raise reader.fail(f"held {held}, {reader.left} pieces missing", "held", 1)
        return cls(number, bool(held), tuple(reader.take(reader.left, "missing")))

    def __bytes__(self) -> bytes:
        return bytes([self.number, self.held, *self.missing])


class KeySender:
    """Key frames and references on their way to one receiver."""

    def __init__(self) -> None:
        self._next = 0
        self._slots: dict[int, int] = {}  # slot -> number
        self._pieces: dict[int, list[Piece]] = {}  # of what the receiver may still need
        self._sent: dict[tuple[int, int], int] = {}
        self._due: list[Piece] = []
        self._named: Named | None = None
        self._named_at: int | None = None
        self._known = False  # the receiver holds what is named

    def add(self, event: KeyFrame | Reference, time: int) -> None:
        """What the encoder decided for the frame at `time`."""
        start = max(0, time) // 1000
        if isinstance(event, Reference):
            self._name(Named(start, self._slots[event.slot]))
            return
        number, self._next = self._next, (self._next + 1) % TURN
        data = bytes(replace(event, frame=start))
        cuts = range(0, len(data), PIECE)
        pieces = [Piece(number, len(cuts), i, data[at : at + PIECE]) for i, at in enumerate(cuts)]
        self._pieces.pop(self._slots.get(event.slot, -1), None)
        self._slots[event.slot], self._pieces[number] = number, pieces
        self._due = [piece for piece in self._due if piece.number in self._pieces] + pieces
        self._name(Named(start, number))

    def renew(self) -> None:
        """The receiver may be another one: it is told again what frames are made from."""
        self._known, self._named_at = False, None

    def reported(self, report: KeyReport, now: int) -> None:
        if self._named is not None and report.number == self._named.number:
            self._known = report.held
        pieces = self._pieces.get(report.number)
        if pieces is None or report.held:
            return
        for index in report.missing or range(len(pieces)):
            at = self._sent.get((report.number, index), -_ANSWER)
            if index < len(pieces) and now - at >= _ANSWER and pieces[index] not in self._due:
                self._due.append(pieces[index])

    def poll(self, now: int) -> list[Message]:
        """What is due."""
        due, self._due = self._due, []
        for piece in due:
            self._sent[piece.number, piece.piece] = now
        self._sent = {k: at for k, at in self._sent.items() if k[0] in self._pieces}
        out = [Message(piece.kind, bytes(piece)) for piece in due]
        again = self._named_at is None or now - self._named_at >= _REPEAT
        if self._named is not None and not self._known and again:
            self._named_at = now
            out.append(Message(Named.kind, bytes(self._named)))
        return out

    def _name(self, named: Named) -> None:
        self._named, self._named_at, self._known = named, None, False


class KeyReceiver:
    """Key frames as they come in; which one a frame is made from."""

    def __init__(self) -> None:
        self._parts: dict[int, dict[int, Piece]] = {}
        self._held: dict[int, tuple[int, KeyFrame]] = {}  # slot -> number and key frame
        self._names: list[tuple[int, int]] = []  # time in milliseconds, number
        self._told: int | None = None  # the number that was last reported as held
        self._asked: int | None = None

    def take(self, kind: int, body: bytes) -> None:
        """A message of kind 16 or 17.  Raises StreamError for damage; nothing is then taken."""
        if kind == MTTF_REFERENCE:
            named = Named.parse(body)
            self._name(named.time, named.number)
            if named.number == self._told:
                self._told = None  # the sender does not know yet
        elif kind == MTTF_KEY:
            self._take(Piece.parse(body))

    def poll(self, now: int) -> list[Message]:
        """What the sender should know of the key frame that it named last."""
        if not self._names:
            return []
        number = self._names[-1][1]
        if number in self._numbers:
            if self._told == number:
                return []
            self._told, self._asked = number, None
            report = KeyReport(number, True)
        elif self._asked is None:
            self._asked = now  # pieces may just be behind
            return []
        elif now - self._asked < _AGAIN:
            return []
        else:
            self._asked = now
            parts = self._parts.get(number, {})
            count = next(iter(parts.values())).pieces if parts else 0
            report = KeyReport(number, False, tuple(i for i in range(count) if i not in parts))
        return [Message(report.kind, bytes(report))]

    def at(self, time: int) -> tuple[int, KeyFrame] | None:
        """Number and key frame that a frame of this time (microseconds) is made from: what was
        named for it, or the nearest to it that has come; None before the first."""
        held = self._numbers
        until = bisect_right(self._names, (time // 1000, TURN))
        for _, number in [*reversed(self._names[:until]), *self._names[until:]]:
            if number in held:
                return number, held[number]
        return None

    def drop(self, number: int) -> None:
        """A key frame that does not decode: it is asked for again."""
        self._held = {slot: known for slot, known in self._held.items() if known[0] != number}
        self._told = None

    @property
    def _numbers(self) -> dict[int, KeyFrame]:
        return dict(self._held.values())

    def _take(self, piece: Piece) -> None:
        if piece.number in self._numbers:
            return
        parts = self._parts.setdefault(piece.number, {})
        if any(known.pieces != piece.pieces for known in parts.values()):
            parts.clear()  # a number that came round again
        parts[piece.piece] = piece
        while len(self._parts) > _PARTS:
            del self._parts[next(iter(self._parts))]
        if len(parts) < piece.pieces:
            return
        del self._parts[piece.number]
        data = b"".join(parts[i].data for i in range(piece.pieces))
        if len(data) > _MOST:
            raise StreamError(f"a key frame of {len(data)} bytes", field="key frame")
        key = KeyFrame.parse(data)
        self._held[key.slot] = piece.number, key
        self._name(key.frame, piece.number)

    def _name(self, time: int, number: int) -> None:
        if (time, number) not in self._names:
            insort(self._names, (time, number))
            del self._names[:-_KEPT]
