"""Face states to bytes and back: by our stream as it is, or by the coder that the field uses.

The second holds the quantiser and the header equal (less an index, which it has not), so that only
the coder differs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar.avatar import Avatar
from avatar.face import FaceStates
from codec.between import filled
from codec.header import StreamHeader
from codec.quantize import quantizer_of
from codec.reference import reference_frames, reference_symbols


@dataclass(frozen=True)
class Carried:
    """parts: bytes by what they are for.  packets: how many frames were sent.  states: as the
    receiver has them, one a picture.  Times in seconds."""

    parts: dict[str, int]
    packets: int
    states: FaceStates
    encode_seconds: float
    decode_seconds: float


Coder = Callable[[FaceStates, Avatar, StreamHeader], Carried]


def by_stream(states: FaceStates, avatar: Avatar, header: StreamHeader) -> Carried:
    """The file that `facewire encode` would write, without sound."""
    from service.receiver import open_stream
    from service.sender import write_stream

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "call.fw"
        start = time.perf_counter()
        write_stream(path, states, avatar, header)
        written = time.perf_counter()
        stream = open_stream(path, avatar)
        received = stream.states
        end = time.perf_counter()
    parts = {"header": stream.header_bytes, "states": stream.size - stream.header_bytes}
    return Carried(parts, stream.sent, received, written - start, end - written)


def by_order_0(states: FaceStates, avatar: Avatar, header: StreamHeader) -> Carried:
    """`codec.reference`: each frame a file of its own, nearest symbols, nothing predicted but that
    a number stays as it was.  A frame without a face repeats the one before."""
    quantizer = quantizer_of(avatar.statistics, header)
    start = time.perf_counter()
    every = slice(None, None, header.between + 1)
    symbols = quantizer.symbols(states.values[every])
    seen = np.maximum.accumulate(np.where(states.visible[every], np.arange(len(symbols)), 0))
    files = reference_frames(symbols[seen])
    coded = time.perf_counter()
    values = quantizer.values(reference_symbols(files, symbols.shape[1]))
    sent = FaceStates(states.time[every], values, states.visible[every], states.layout)
    received = filled(sent, header.between, header.rate)
    end = time.perf_counter()
    parts = {"header": len(bytes(header)), "states": sum(map(len, files))}
    return Carried(parts, len(files), received, coded - start, end - coded)
