"""A recorded call without a camera: an avatar made by hand, and a stream in which it moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from avatar.archive import avatar_bytes, parse_avatar
from avatar.avatar import Avatar
from avatar.face import FaceStates
from codec.face_codec import encode_states
from codec.header import DIGEST, StreamHeader
from codec.stream_writer import stream_bytes
from codec.timing import rate_of
from service.audio import BLOCK, RATE, OpusCoder


def spots(name: str = "Spots") -> tuple[Avatar, bytes]:
    """The small person, and the archive."""
    from tests.service.small_person import avatar_of, small_person

    data = avatar_bytes(replace(avatar_of(small_person()), name=name))
    return parse_avatar(data), data


def moving(avatar: Avatar, frames: int, fps: int = 25) -> FaceStates:
    """From left to right, at rest else."""
    values = np.tile(np.asarray(avatar.statistics.mean, np.float32), (frames, 1))
    values[:, avatar.layout.groups["translation"].start] += np.linspace(-0.1, 0.1, frames)
    times = np.arange(frames) * 1_000_000 // fps
    return FaceStates(times, values, np.ones(frames, bool), avatar.layout)


def header_of(avatar: Avatar, states: FaceStates, **more: object) -> StreamHeader:
    rate, rounding = rate_of(states.time)
    digest = bytes.fromhex(avatar.digest)[:DIGEST]
    known = StreamHeader(digest, states.layout, rate=rate, rounding=rounding, window=avatar.window)
    return replace(known, **more)  # type: ignore[arg-type]


def stream_of(avatar: Avatar, frames: int, fps: int = 25, **more: object) -> bytes:
    """With a tone as long as the pictures.  more: of the header."""
    states = moving(avatar, frames, fps)
    head, sound = tone(frames / fps)
    return coded(avatar, states, header_of(avatar, states, audio=head, **more), sound)


def coded(
    avatar: Avatar,
    states: FaceStates,
    header: StreamHeader,
    sound: Iterable[tuple[int, bytes]] = (),
) -> bytes:
    packets = encode_states(states, avatar.statistics, header)
    return stream_bytes(header, packets, int(states.time[-1] - states.time[0]), sound)


def tone(seconds: float) -> tuple[bytes, list[tuple[int, bytes]]]:
    """440 Hz: OpusHead, and packets as a stream holds them."""
    coder = OpusCoder(1)
    wave = 0.3 * np.sin(2 * np.pi * 440 / RATE * np.arange(BLOCK * int(seconds * RATE / BLOCK)))
    blocks = wave.astype(np.float32).reshape(-1, BLOCK, 1)
    packets = [p for block in blocks for p in coder.code(block)] + coder.rest()
    return coder.head, [(p.time, p.data) for p in packets]
