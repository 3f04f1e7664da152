"""Face states to bytes and back: as a file, as a call, or by the coder that the field uses.

The last holds the quantiser and the header equal (less an index, which it has not), so that only
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
from bench.simulated_call import call
from codec.between import filled
from codec.header import StreamHeader
from codec.quantize import quantizer_of
from codec.reference import placed_frames, placed_symbols
from service.surroundings import SAME, Surroundings


@dataclass(frozen=True)
class Carried:
    """parts: bytes by what they are for.  packets: how many frames were sent.  states: as the
    receiver has them, one a picture.  Times in seconds, None where not taken.  surroundings: as
    they came with them."""

    parts: dict[str, int]
    packets: int
    states: FaceStates
    encode_seconds: float | None
    decode_seconds: float | None
    surroundings: Surroundings = SAME


Coder = Callable[[FaceStates, Avatar, StreamHeader, Surroundings], Carried]


def by_stream(
    states: FaceStates, avatar: Avatar, header: StreamHeader, place: Surroundings
) -> Carried:
    """The file that `facewire encode` would write, without sound."""
    from service.receiver import open_stream
    from service.sender import write_stream

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "call.fw"
        start = time.perf_counter()
        write_stream(path, states, avatar, header, surroundings=place)
        written = time.perf_counter()
        stream = open_stream(path, avatar)
        received = stream.states
        end = time.perf_counter()
    parts = {"header": stream.header_bytes, **_sizes(place)}
    parts["states"] = stream.size - sum(parts.values())
    times = (written - start, end - written)
    return Carried(parts, stream.sent, received, *times, Surroundings.of(stream))


def by_call(
    states: FaceStates, avatar: Avatar, header: StreamHeader, place: Surroundings
) -> Carried:
    """Every datagram of a call over a network that loses nothing and takes 50 ms each way
    (`bench.simulated_call`): offers, marks, and a packet a frame that leans on what the receiver
    has acknowledged alone.  What is shown is what was sent, to the symbol; playout is left out, and
    so are the surroundings: a call has none."""
    run = call(states=(states, avatar.statistics), quality=header.quality)
    assert run.forth is not None
    quantizer = quantizer_of(avatar.statistics, header)
    values = quantizer.values(quantizer.symbols(states.values))
    seen = np.maximum.accumulate(np.where(states.visible, np.arange(len(states)), 0))
    received = FaceStates(states.time, values[seen], states.visible, states.layout)
    face = sum(run.face_bytes)
    parts = {"states": face, "session": sum(run.forth.sizes) - face}
    return Carried(parts, len(run.forth.sizes), received, None, None)


def by_order_0(
    states: FaceStates, avatar: Avatar, header: StreamHeader, place: Surroundings
) -> Carried:
    """`codec.reference`: each frame a file of its own, nearest symbols, nothing predicted but that
    a number stays as it was.  A frame without a face repeats the one before.  The
    surroundings go along as they do in `by_stream`."""
    quantizer = quantizer_of(avatar.statistics, header)
    start = time.perf_counter()
    every = slice(None, None, header.between + 1)
    symbols = quantizer.symbols(states.values[every])
    seen = np.maximum.accumulate(np.where(states.visible[every], np.arange(len(symbols)), 0))
    files = placed_frames(symbols[seen])
    coded = time.perf_counter()
    values = quantizer.values(placed_symbols(files, symbols.shape[1]))
    sent = FaceStates(states.time[every], values, states.visible[every], states.layout)
    received = filled(sent, header.between, header.rate)
    end = time.perf_counter()
    parts = {"header": len(bytes(header)), "states": sum(map(len, files))}
    parts |= _sizes(place)
    return Carried(parts, len(files), received, coded - start, end - coded, place)


def _sizes(place: Surroundings) -> dict[str, int]:
    """Bytes of what surrounds the person, where it is sent."""
    found = {"background": place.background, "light": place.light, "posture": place.posture}
    return {name: len(bytes(packet)) for name, packet in found.items() if packet is not None}
