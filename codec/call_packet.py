"""A call's face packet on the wire (docs/bitstream.md, section 10.2)."""

from __future__ import annotations

from dataclasses import dataclass

from avatar.errors import InputError
from codec.bits import ByteReader, varint, zigzag
from codec.packet import MAX_BODY, read_time

CALL_FACE = 32  # section 10.1: kinds 32 to 36 and, with a mark, 40 to 44
CALL_MARK = 8
CALL_FRAMES = 5  # at most, in a packet
CALL_KINDS = frozenset(CALL_FACE + m + f for m in (0, CALL_MARK) for f in range(CALL_FRAMES))
TURN = 256  # packets whose numbers share all but the low byte
MAX_DISTANCE = 255


@dataclass(frozen=True)
class CallPacket:
    """One to five frames, told from an acknowledged state, or from nothing in a key packet.

    frames: how many.  low: the packet's number modulo 256.  distance: packets back to the one
    after which the state is meant; 0 in a key packet.  mark: a coarse mark follows the frames.
    turn: the number's higher part, and time: of the first frame, microseconds; both are sent in
    key packets alone and 0 in others.
    """

    frames: int
    low: int
    distance: int
    payload: bytes
    mark: bool = False
    turn: int = 0
    time: int = 0

    @property
    def key(self) -> bool:
        return self.distance == 0

    @property
    def kind(self) -> int:
        return CALL_FACE + self.frames - 1 + (CALL_MARK if self.mark else 0)

    def number(self, newest: int) -> int:
        """The packet's whole number: the nearest to `newest` that fits, or what a key says."""
        if self.key:
            return self.turn * TURN + self.low
        near = newest + (self.low - newest + TURN // 2) % TURN - TURN // 2
        return near if near >= 0 else near + TURN

    @classmethod
    def parse(cls, kind: int, body: bytes, base: int = 0) -> CallPacket:
        reader = ByteReader(body, "call packet", base)
        if kind not in CALL_KINDS:
            raise reader.fail(f"the kind {kind} is none of a face packet", "kind", 0)
        mark, frames = divmod(kind - CALL_FACE, CALL_MARK)
        low = reader.integer(1, "number")
        distance = reader.integer(1, "distance")
        turn = time = 0
        if distance == 0:
            turn = reader.varint("number", 1 << 32)
            time = read_time(reader, "time")
        payload = reader.take(reader.left, "payload")
        return cls(frames + 1, low, distance, payload, bool(mark), turn, time)

    def __bytes__(self) -> bytes:
        """The body; the kind goes before it."""
        key = varint(self.turn) + varint(zigzag(self.time)) if self.key else b""
        return bytes([self.low, self.distance]) + key + self.payload

    def __post_init__(self) -> None:
        if not (1 <= self.frames <= CALL_FRAMES and 0 <= self.distance <= MAX_DISTANCE):
            raise InputError(
                f"call packet: {self.frames} frames, {self.distance} packets back",
                f"A packet holds 1 to {CALL_FRAMES} frames and leans on one of the last "
                f"{MAX_DISTANCE}.",
            )
        if len(self.payload) > MAX_BODY - 32:
            raise InputError(f"call packet: {len(self.payload)} bytes are too many")
