"""A call's face packets as a recording, without a network: docs/bitstream.md, section 10.8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avatar.avatar import StateStatistics
from avatar.errors import StreamError
from avatar.face import FaceStates
from codec.call_codec import CallCodec, CallState, HeldStates, Mark
from codec.call_packet import CallPacket
from codec.coarse import mark_due
from codec.header import StreamHeader
from codec.predict import Ints


def recorded_states(
    packets: Sequence[CallPacket], statistics: StateStatistics, header: StreamHeader
) -> FaceStates:
    """What the packets say, dequantised, in the order of their times.

    Raises StreamError for a packet that leans on one which is not there.
    """
    codec = CallCodec(statistics, header)
    held = HeldStates()
    rows: dict[int, tuple[Ints, bool]] = {}
    for packet in packets:
        content = held.decode(codec, packet, packet.number(held.newest))
        for time, symbols, visible in zip(
            content.times.tolist(), content.symbols, content.visible.tolist(), strict=True
        ):
            if time in rows:
                raise StreamError("two frames have the same time", field="frame time")
            rows[time] = (symbols, visible)
    order = sorted(rows)
    width = header.layout.width
    symbols = np.array([rows[t][0] for t in order], np.int64).reshape(-1, width)
    return FaceStates(
        np.array(order, np.int64),
        codec.quantizer.values(symbols),
        np.array([rows[t][1] for t in order], bool),
        header.layout,
    )


def encode_call(
    states: FaceStates,
    statistics: StateStatistics,
    header: StreamHeader,
    distance: int = 3,
    frames: int = 1,
    marks: int = 0,
    first: int = 0,
    lost: frozenset[int] = frozenset(),
) -> list[CallPacket]:
    """The packets of a call whose every packet is acknowledged `distance` packets later.

    frames: a packet.  marks: packets from coarse mark to coarse mark, 0 for none.  first: the
    number of the first packet.  lost: numbers that never arrive; the others are returned.
    """
    codec = CallCodec(statistics, header)
    symbols = codec.quantizer.symbols(np.where(states.visible[:, None], states.values, 0))
    given = [
        (int(t), row if seen else None)
        for t, row, seen in zip(states.time, symbols, states.visible, strict=True)
    ]
    sent: dict[int, CallState] = {}
    acknowledged: CallState | None = None
    packets: list[CallPacket] = []
    for number, start in enumerate(range(0, len(given), frames), first):
        if number - distance not in lost:
            acknowledged = sent.get(number - distance, acknowledged)
        due = mark_due(number, marks) if marks else -1
        mark = Mark(number - due, sent[due].symbols) if due in sent else None
        group = given[start : start + frames]
        packet, sent[number] = codec.encode(number, group, acknowledged, mark)
        if number not in lost:
            packets.append(packet)
    return packets
