"""A call's face packets as a recording, without a network: docs/bitstream.md, section 10.8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avatar.avatar import StateStatistics
from avatar.errors import StreamError
from avatar.face import FaceStates
from codec.call_codec import CallCodec, CallState, HeldStates, Mark
from codec.call_packet import CallPacket
from codec.coarse import mark_due
from codec.header import StreamHeader
from codec.predict import Ints


@dataclass(frozen=True)
class Recorded:
    """One frame of a recording.  symbols: [D], in steps of quality `level` of the header's."""

    symbols: Ints
    visible: bool
    level: int


def recorded_frames(packets: Sequence[CallPacket], codec: CallCodec) -> dict[int, Recorded]:
    """What the packets say, by time in microseconds, in the order of the times.

    Raises StreamError for a packet that leans on one which is not there.
    """
    held = HeldStates()
    rows: dict[int, Recorded] = {}
    for packet in packets:
        content = held.decode(codec, packet, packet.number(held.newest))
        for time, symbols, visible in zip(
            content.times.tolist(), content.symbols, content.visible.tolist(), strict=True
        ):
            if time in rows:
                raise StreamError("two frames have the same time", field="frame time")
            rows[time] = Recorded(symbols, visible, content.level)
    return dict(sorted(rows.items()))


def recorded_states(
    packets: Sequence[CallPacket], statistics: StateStatistics, header: StreamHeader
) -> FaceStates:
    """The same, dequantised."""
    codec = CallCodec(statistics, header)
    frames = recorded_frames(packets, codec)
    values = np.zeros((len(frames), header.layout.width), np.float32)
    levels = np.array([frame.level for frame in frames.values()], np.int64)
    for level in np.unique(levels):
        symbols = np.stack([f.symbols for f in frames.values() if f.level == level])
        values[levels == level] = codec.quantizers[level].values(symbols)
    visible = np.array([frame.visible for frame in frames.values()], bool)
    return FaceStates(np.array(list(frames), np.int64), values, visible, header.layout)


def encode_call(
    states: FaceStates,
    statistics: StateStatistics,
    header: StreamHeader,
    distance: int = 3,
    frames: int = 1,
    marks: int = 0,
    first: int = 0,
    lost: frozenset[int] = frozenset(),
    levels: Mapping[int, int] = {},
) -> list[CallPacket]:
    """The packets of a call whose every packet is acknowledged `distance` packets later.

    frames: a packet.  marks: packets from coarse mark to coarse mark, 0 for none.  first: the
    number of the first packet.  lost: numbers that never arrive; the others are returned.
    levels: by number, the packets that start anew in another of the header's qualities.
    """
    codec = CallCodec(statistics, header)
    seen = np.where(states.visible[:, None], states.values, 0)
    symbols = [quantizer.symbols(seen) for quantizer in codec.quantizers]
    sent: dict[int, CallState] = {}
    acknowledged: CallState | None = None
    level = 0
    packets: list[CallPacket] = []
    for number, start in enumerate(range(0, len(states), frames), first):
        level = levels.get(number, level)
        known = sent.get(number - distance)
        if known is not None and number - distance not in lost and known.level == level:
            acknowledged = known
        reference = None if number in levels else acknowledged
        units = level if reference is None else reference.level
        due = mark_due(number, marks) if marks else -1
        mark = None
        if due in sent:
            past = codec.restated(sent[due].symbols, sent[due].level, units)
            mark = Mark(number - due, past)
        group = [
            (int(states.time[i]), symbols[units][i] if states.visible[i] else None)
            for i in range(start, min(start + frames, len(states)))
        ]
        packet, sent[number] = codec.encode(number, group, reference, mark, level)
        if number not in lost:
            packets.append(packet)
    return packets
