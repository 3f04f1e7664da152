"""Face states to a call's packets and back: what a packet leans on is named, and is held.

Both directions are pure: a packet and the state that it names give its frames and the next state.

    packet, state = codec.encode(number, frames, reference, mark)
    content, state = codec.decode(packet, number, reference)

Sections are those of docs/bitstream.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import InputError, MismatchError, StateError, StreamError
from codec.call_packet import CALL_FRAMES, MAX_DISTANCE, TURN, CallPacket
from codec.coarse import MarkModels
from codec.entropy import BinaryDecoder, BinaryEncoder
from codec.face_models import FaceModels
from codec.header import PROFILE_CALL, StreamHeader
from codec.models import Coder, code_raw
from codec.packet import MAX_TIME
from codec.predict import Ints
from codec.quantize import quantizer_of
from codec.timing import Clock, tick_time


@dataclass(frozen=True)
class CallState:
    """What sender and receiver both know after a packet; never changed, coding goes on from
    a copy.  number: of the packet.  symbols: [D], last shown.  time: of its last frame."""

    number: int
    models: FaceModels
    marks: MarkModels
    clock: Clock
    symbols: Ints
    fresh: bool  # no visible frame since the key
    level: int = 0  # place of its quality in the header's (section 10.9)

    @property
    def time(self) -> int:
        return self.clock.time


@dataclass(frozen=True)
class Mark:
    """A coarse state of the past.  back: packets; symbols: [D]; time: microseconds, as nearly
    as a receiver can tell."""

    back: int
    symbols: Ints
    time: int = 0


@dataclass(frozen=True)
class CallContent:
    """A packet's frames: times [F] in microseconds, symbols [F, D], visible [F]; its mark; and
    the level, whose quantiser says what the symbols are."""

    times: NDArray[np.int64]
    symbols: Ints
    visible: NDArray[np.bool_]
    mark: Mark | None = None
    level: int = 0


@dataclass(frozen=True)
class _Start:
    """What a key packet of one quality starts from (section 10.4)."""

    models: FaceModels
    marks: MarkModels


HELD = 32  # section 10.6
LEVEL_BITS = 4  # section 10.9


class HeldStates:
    """The states that a receiver keeps (section 10.6), and how packets name them."""

    def __init__(self) -> None:
        self._states: dict[int, CallState] = {}
        self._named = 0
        self.newest = 0

    def __contains__(self, number: int) -> bool:
        return number in self._states

    def __bool__(self) -> bool:
        return bool(self._states)

    @property
    def top(self) -> int:
        """The greatest number that is held."""
        return max(self._states)

    def decode(self, codec: CallCodec, packet: CallPacket, number: int) -> CallContent:
        """A packet's frames, its state kept.  StreamError as `CallCodec.decode`."""
        named = number - packet.distance
        reference = None if packet.key else self._states.get(named)
        content, state = codec.decode(packet, number, reference)
        self.newest = max(self.newest, number)
        if not packet.key:
            self._named = max(self._named, named)
        self._states[number] = state
        if len(self._states) > HELD:
            smallest, second = sorted(self._states)[:2]
            del self._states[second if smallest == self._named else smallest]
        return content


_KEPT = 32  # a megabyte or two each; two for every browser that a server draws for, and more
_lock = Lock()
_ready: dict[bytes, CallCodec] = {}


class CallCodec:
    """Encodes and decodes for one avatar and header; holds nothing of a call."""

    def __init__(self, statistics: StateStatistics, header: StreamHeader) -> None:
        if header.profile != PROFILE_CALL:
            raise MismatchError("the header is that of a file", "Offer a header of profile 1.")
        self.header = header
        self.quantizers = [
            quantizer_of(statistics, replace(header, quality=quality, coarser=()))
            for quality in header.qualities
        ]
        self._starts: dict[int, _Start] = {}
        self._start(0)
        self._clock = Clock(header.rate, header.rounding)

    @classmethod
    def ready(cls, statistics: StateStatistics, header: StreamHeader) -> CallCodec:
        """One for which no packet has to wait.  To learn an avatar's history takes a good part of
        a second, of a header with many qualities some; the last few are kept, for whichever thread
        asks.  Raises MismatchError where the header is not for these statistics."""
        made = cls.at_hand(statistics, header)
        if made is None:
            made = cls(statistics, header)
            for level in range(len(made.quantizers)):
                made._start(level)
            with _lock:
                _ready[_key(statistics, header)] = made
                while len(_ready) > _KEPT:
                    del _ready[next(iter(_ready))]
        return made

    @classmethod
    def at_hand(cls, statistics: StateStatistics, header: StreamHeader) -> CallCodec | None:
        """The same, where it is kept; at once."""
        key = _key(statistics, header)
        with _lock:
            made = _ready.pop(key, None)
            if made is not None:
                _ready[key] = made  # the last asked for is the last to go
        return made

    def restated(self, symbols: Ints, level: int, other: int) -> Ints:
        """[D] symbols of one quality in steps of another."""
        if level == other:
            return symbols
        return self.quantizers[other].symbols(self.quantizers[level].values(symbols))

    def _start(self, level: int) -> _Start:
        if level not in self._starts:
            quantizer = self.quantizers[level]
            models = FaceModels(quantizer, self.header.layout, call=True)
            self._starts[level] = _Start(models, MarkModels(quantizer.key_scales()))
        return self._starts[level]

    def encode(
        self,
        number: int,
        frames: Sequence[tuple[int, Ints | None]],
        reference: CallState | None = None,
        mark: Mark | None = None,
        level: int = 0,
    ) -> tuple[CallPacket, CallState]:
        """A packet of frames (time, [D] symbols or None where no face is seen).

        reference: the state that the receiver is known to hold; its level is the packet's.  None
        gives a key packet, of `level`.
        """
        if not 1 <= len(frames) <= CALL_FRAMES or not 0 <= number <= TURN << 32:
            raise InputError(f"call packet {number}: {len(frames)} frames")
        distance = 0 if reference is None else number - reference.number
        if reference is not None and not 1 <= distance <= MAX_DISTANCE:
            raise InputError(f"call packet {number} cannot lean on packet {reference.number}")
        times = [time for time, _ in frames]
        before = -MAX_TIME - 1 if reference is None else reference.time
        for time in times:
            if not before < time <= MAX_TIME:
                raise StateError(
                    f"face state: time {time} does not follow {before}",
                    "Give frames in the order of their times, in microseconds.",
                )
            before = time
        if not 0 <= level < len(self.quantizers):
            raise InputError(f"call packet {number}: the header has no quality {level}")
        coder = BinaryEncoder()
        state, _ = self._code(coder, number, len(frames), reference, times[0], frames, mark, level)
        packet = CallPacket(
            len(frames),
            number % TURN,
            distance,
            coder.finish(),
            mark is not None,
            number // TURN if reference is None else 0,
            times[0] if reference is None else 0,
        )
        return packet, state

    def decode(
        self, packet: CallPacket, number: int, reference: CallState | None = None
    ) -> tuple[CallContent, CallState]:
        """A packet's frames.  reference: the state after packet `number - packet.distance`.

        Raises StreamError for bytes that no encoder writes or for another reference.
        """
        held = None if reference is None else reference.number
        named = None if packet.key else number - packet.distance
        if held != named or number % TURN != packet.low:
            raise StreamError(
                f"call packet {number} leans on packet {named}, not {held}", field="distance"
            )
        mark = Mark(0, np.zeros(0, np.int64)) if packet.mark else None
        coder = BinaryDecoder(packet.payload)
        state, content = self._code(
            coder, number, packet.frames, reference, packet.time, None, mark
        )
        return content, state

    def _code(
        self,
        coder: Coder,
        number: int,
        count: int,
        reference: CallState | None,
        start: int,
        frames: Sequence[tuple[int, Ints | None]] | None,
        mark: Mark | None,
        level: int | None = None,
    ) -> tuple[CallState, CallContent]:
        """Section 10.3: the same for both directions; a decoder gives no frames."""
        if reference is None:
            level = self._level(coder, level)
            start_of = self._start(level)
            models, marks, clock = start_of.models.fork(), start_of.marks.fork(), self._clock.fork()
            symbols: Ints = np.zeros(self.header.layout.width, np.int64)
            fresh, skipped = True, 0
            clock.start(start)
        else:
            models, marks = reference.models.fork(), reference.marks.fork()
            clock, symbols, fresh = reference.clock.fork(), reference.symbols, reference.fresh
            level = reference.level
            skipped = (number - reference.number - 1) * count
        times, rows, visible = [], [], []
        for i in range(count):
            time, known = frames[i] if frames is not None else (None, None)
            if reference is not None or i:
                clock.tick(coder, time, skipped if i == 0 else 0)
            seen = None if frames is None else known is not None
            shown = models.visible(coder, seen)
            if shown:
                symbols = models.frame(coder, known, fresh, leap=skipped > 0 and i == 0)
                fresh = False
            times.append(clock.time)
            rows.append(symbols)
            visible.append(shown)
        found = None
        if mark is not None:
            given = (None, None) if frames is None else (mark.back, mark.symbols)
            back, past = marks.code(coder, rows[0], *given)
            found = Mark(back, past, times[0] - tick_time(back * count, self.header.rate, 0))
        content = CallContent(
            np.array(times, np.int64), np.stack(rows), np.array(visible, bool), found, level
        )
        return CallState(number, models, marks, clock, symbols, fresh, level), content

    def _level(self, coder: Coder, level: int | None) -> int:
        """Section 10.9: a key packet's, where there is a choice."""
        if not self.header.coarser:
            return 0
        level = code_raw(coder, level, LEVEL_BITS)
        if level >= len(self.quantizers):
            raise StreamError(f"the header has no quality {level}", field="quality")
        return level


def _key(statistics: StateStatistics, header: StreamHeader) -> bytes:
    parts = (statistics.mean, statistics.scale, statistics.step, statistics.history)
    arrays = [*parts, np.zeros(0) if statistics.basis is None else statistics.basis]
    content = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
    return sha256(bytes(header) + content).digest()
