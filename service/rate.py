"""The best stream that a rate allows: how fine the steps, and how many frames of a second."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np

from avatar.avatar import StateStatistics
from avatar.errors import InputError
from avatar.face import FaceStates
from codec.between import filled
from codec.face_codec import FaceDecoder, PacketSettings, encode_states
from codec.header import StreamHeader
from codec.packet import FacePacket
from codec.quantize import COARSEST, FINEST, Quantizer
from codec.stream_writer import StreamWriter

BETWEEN = (0, 1)  # pictures left out between two frames that are worth trying
_CLOSE = 1.03  # qualities nearer than that differ by less than a percent in rate


def within(
    kbps: float,
    states: FaceStates,
    statistics: StateStatistics,
    header: StreamHeader,
    settings: PacketSettings,
    between: tuple[int, ...] = BETWEEN,
) -> tuple[StreamHeader, list[str]]:
    """The header whose stream comes nearest to the states at no more than the rate, and what has
    to be said.  Every byte but sound counts.  Raises InputError for a rate that sends nothing."""
    if not kbps > 0:
        raise InputError(f"--kbps {kbps:g} sends nothing", "Give a rate above 0, such as 2.")
    trials = [
        _finest(kbps, states, statistics, replace(header, between=b), settings) for b in between
    ]
    fits = [trial for trial in trials if trial[0] <= kbps]
    if not fits:
        least, coarsest, _ = min(trials, key=lambda trial: trial[0])
        return coarsest, [
            f"{kbps:g} kbps cannot be reached with this clip: the coarsest has {least:.2f} kbps."
        ]
    return min(fits, key=lambda trial: trial[2])[1], []


def _finest(
    kbps: float,
    states: FaceStates,
    statistics: StateStatistics,
    header: StreamHeader,
    settings: PacketSettings,
) -> tuple[float, StreamHeader, float]:
    """kbit/s, header and error of the finest quality within the rate, or of the coarsest."""
    finest, coarsest = FINEST, COARSEST

    def trial(quality: int) -> tuple[float, StreamHeader, list[FacePacket]]:
        tried = replace(header, quality=quality)
        packets = encode_states(states, statistics, tried, settings)
        return _rate(packets, states, tried), tried, packets

    best = trial(coarsest)
    while best[0] <= kbps and coarsest > finest * _CLOSE:
        middle = round((finest * coarsest) ** 0.5)
        tried = trial(middle)
        if tried[0] <= kbps:
            coarsest, best = middle, tried
        else:
            finest = middle
    return best[0], best[1], _error(best[2], states, statistics, best[1])


def _error(
    packets: list[FacePacket], states: FaceStates, statistics: StateStatistics, header: StreamHeader
) -> float:
    """Mean squared error in steps of quality 1, which cost the picture the same."""
    decoder = FaceDecoder(statistics, header)
    parts = [decoder.decode(packet) for packet in packets]
    sent = FaceStates(
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.visible for part in parts]),
        states.layout,
    )
    shown = filled(sent, header.between, header.rate)
    seen = np.flatnonzero(states.visible)
    quantizer = Quantizer(statistics, 256)
    error = quantizer.positions(shown.values[seen]) - quantizer.positions(states.values[seen])
    return float((error**2).mean()) if len(seen) else 0.0


def _rate(packets: list[FacePacket], states: FaceStates, header: StreamHeader) -> float:
    """kbit/s of the face packets, their framing and the header and index, as `info` counts."""
    file = io.BytesIO()
    writer = StreamWriter(file, replace(header, audio=None))
    for packet in packets:
        writer.write(packet)
    lasts = int(states.time[-1] - states.time[0])
    writer.close(lasts)  # the index says how long: some bytes
    seconds = (lasts + period(states)) / 1e6
    return len(file.getvalue()) * 8e-3 / seconds


def period(states: FaceStates) -> int:
    """Microseconds from frame to frame; 40 000 for a single one."""
    return int(np.median(np.diff(states.time))) if len(states) > 1 else 40_000
