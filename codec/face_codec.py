"""Face states to packets and back, for a file: every frame leans on all since the last key.

    FaceEncoder(statistics, header, settings).encode(time, values, visible) -> list[FacePacket]
    FaceDecoder(statistics, header).decode(packet) -> FaceStates

Sections are those of docs/bitstream.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import StateStatistics
from avatar.errors import MismatchError, StateError, StreamError
from avatar.face import FaceStates
from codec.entropy import BinaryDecoder, BinaryEncoder
from codec.face_models import FaceModels
from codec.header import StreamHeader
from codec.packet import MAX_BODY, MAX_FRAMES, MAX_TIME, FacePacket
from codec.predict import Ints
from codec.quantize import quantizer_of
from codec.thrift import Thrift
from codec.timing import Clock


@dataclass(frozen=True)
class PacketSettings:
    """frames: in a packet; fewer reach a reader sooner, each packet costs about 8 bytes.
    key_interval: seconds between key packets, where a reader can begin.  bit_price: 0 for the
    nearest symbols; more takes cheaper ones where they are almost as near (`Thrift.price`), and
    every frame then waits for the next."""

    frames: int = 100
    key_interval: float = 30.0
    bit_price: float = 0.0


class _Coding:
    """What both directions hold: the models after the last frame, and that frame."""

    def __init__(self, statistics: StateStatistics, header: StreamHeader) -> None:
        self.header = header
        self.quantizer = quantizer_of(statistics, header)
        self._taught = FaceModels(self.quantizer, header.layout)
        self._clock = Clock(header.rate, header.rounding)
        self.restart()

    def restart(self) -> None:
        """Section 9: what a key packet starts from."""
        self.models = self._taught.fork()
        self.clock = self._clock.fork()
        self.symbols: Ints = np.zeros(self.header.layout.width, np.int64)
        self.fresh = True  # no visible frame since the key


@dataclass(frozen=True)
class _Frame:
    time: int
    symbols: Ints | None  # None where no face is seen
    positions: list[float] | None = None  # before rounding, where symbols can be chosen


class FaceEncoder:
    """Takes frames one by one; gives packets as they fill."""

    def __init__(
        self,
        statistics: StateStatistics,
        header: StreamHeader,
        settings: PacketSettings = PacketSettings(),
    ) -> None:
        self._coding = _Coding(statistics, header)
        self._settings = settings
        self._coder = BinaryEncoder()
        self._frames = 0
        self._key = True
        self._key_time: int | None = None
        self._waiting: _Frame | None = None
        self._last: int | None = None

    def encode(
        self, time: int, values: NDArray[np.floating], visible: bool = True
    ) -> list[FacePacket]:
        """Takes one frame; gives the packets that it completes, mostly none.

        time: microseconds, rising.  values: [D], ignored where not visible.
        Raises StateError for values or times that cannot be sent; the frame is then not taken.
        """
        width = self._coding.header.layout.width
        values = np.asarray(values)
        if values.shape != (width,):
            raise StateError(f"face state: {values.shape} numbers where the layout has {width}")
        if abs(time) > MAX_TIME or (self._last is not None and time <= self._last):
            raise StateError(
                f"face state: time {time} does not follow {self._last}",
                "Give frames in the order of their times, in microseconds.",
            )
        frame = self._quantised(int(time), values, visible)
        self._last = frame.time
        if self._settings.bit_price == 0:
            return self._take(frame, None)
        waiting, self._waiting = self._waiting, frame
        return self._take(waiting, frame.positions) if waiting is not None else []

    def _quantised(self, time: int, values: NDArray[np.floating], visible: bool) -> _Frame:
        quantizer = self._coding.quantizer
        if not visible:
            return _Frame(time, None)
        if self._settings.bit_price == 0:
            return _Frame(time, quantizer.symbols(values))
        positions = quantizer.positions(values)
        return _Frame(time, np.rint(positions).astype(np.int64), positions.tolist())

    def _take(self, frame: _Frame, ahead: list[float] | None) -> list[FacePacket]:
        done = self._packet() if self._key_due(frame.time) else []
        thrift = None
        if frame.positions is not None:
            thrift = Thrift(frame.positions, self._settings.bit_price, ahead)
        self._add(frame.time, frame.symbols, thrift)
        full = self._frames >= min(self._settings.frames, MAX_FRAMES)
        return done + self._packet() if full or self._coder.size > MAX_BODY // 2 else done

    def _add(self, time: int, symbols: Ints | None, thrift: Thrift | None) -> None:
        coding = self._coding
        if self._key_due(time):
            self._key, self._key_time = True, time
            coding.restart()
            coding.clock.start(time)
        else:
            coding.clock.tick(self._coder, time, coding.header.between)
        if coding.models.visible(self._coder, symbols is not None) and symbols is not None:
            coding.symbols = coding.models.frame(self._coder, symbols, coding.fresh, thrift=thrift)
            coding.fresh = False
        self._frames += 1

    def _key_due(self, time: int) -> bool:
        if self._key_time is None:
            return True
        return time - self._key_time >= self._settings.key_interval * 1e6

    def flush(self) -> list[FacePacket]:
        """The packets of the frames that are waiting, if there are any."""
        waiting, self._waiting = self._waiting, None
        done = self._take(waiting, None) if waiting is not None else []
        return done + self._packet()

    def _packet(self) -> list[FacePacket]:
        if not self._frames:
            return []
        time = self._key_time if self._key and self._key_time is not None else 0
        packet = FacePacket(self._key, self._frames, self._coder.finish(), time)
        self._coder, self._frames, self._key = BinaryEncoder(), 0, False
        return [packet]


class FaceDecoder:
    """Takes packets in order; gives their frames."""

    def __init__(self, statistics: StateStatistics, header: StreamHeader) -> None:
        self._coding = _Coding(statistics, header)
        self._begun = False

    def decode(self, packet: FacePacket) -> FaceStates:
        """The packet's frames, dequantised.  A frame without a face repeats the last state.

        Raises StreamError for bytes that no encoder writes, and for a packet that leans on a key
        packet that was not seen.
        """
        coding, coder = self._coding, BinaryDecoder(packet.payload)
        if packet.key:
            coding.restart()
            coding.clock.start(packet.time)
        elif not self._begun:
            raise StreamError("a face packet comes before any key packet", field="kind")
        self._begun = True
        times, rows, visible = [], [], []
        for i in range(packet.frames):
            if not (packet.key and i == 0):
                coding.clock.tick(coder, None, coding.header.between)
            shown = coding.models.visible(coder, None)
            if shown:
                coding.symbols = coding.models.frame(coder, None, coding.fresh)
                coding.fresh = False
            times.append(coding.clock.time)
            rows.append(coding.symbols)
            visible.append(shown)
        return FaceStates(
            np.array(times, np.int64),
            coding.quantizer.values(np.stack(rows)),
            np.array(visible, bool),
            coding.header.layout,
        )


def encode_states(
    states: FaceStates,
    statistics: StateStatistics,
    header: StreamHeader,
    settings: PacketSettings = PacketSettings(),
) -> list[FacePacket]:
    """All of a recording's packets; of its frames every one that the header has none between."""
    if states.layout != header.layout:
        raise MismatchError(f"states of {states.layout} in a stream of {header.layout}")
    encoder = FaceEncoder(statistics, header, settings)
    packets: list[FacePacket] = []
    sent = slice(None, None, header.between + 1)
    rows = zip(states.time[sent], states.values[sent], states.visible[sent], strict=True)
    for time, values, visible in rows:
        packets += encoder.encode(int(time), values, bool(visible))
    return packets + encoder.flush()
