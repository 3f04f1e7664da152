"""How the shoulders are held in a call where that is not how they were in the enrolment: a
displacement of the torso's plane, on a coarse grid, the same in all frames, sent once.  A receiver
bends the avatar's own plane (docs/bitstream.md, section 3.10), so that drawing costs what it did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from codec.packet import PosturePacket

MODES = ("auto", "never")

_STEP = 1.0 / 2048  # of an offset, in window sides

Array = NDArray[Any]


def with_posture(avatar: Avatar, packet: PosturePacket) -> Avatar:
    """The avatar whose shoulders are held so."""
    from render.posture import bent

    return replace(avatar, tensors=bent(avatar.tensors, offsets_of(packet)))


def packet_of(offsets: Array) -> PosturePacket:
    """offsets: [G, G, 2] in window sides."""
    levels = np.clip(np.rint(offsets / _STEP), -128, 127).astype(int)
    rows = np.flatnonzero(np.any(levels, axis=(1, 2)))
    first, last = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    return PosturePacket(len(levels), first, tuple(levels[first:last].ravel().tolist()))


def offsets_of(packet: PosturePacket) -> Array:
    """[G, G, 2] in window sides."""
    out = np.zeros((packet.side, packet.side, 2), np.float32)
    levels = np.array(packet.offsets, np.float32).reshape(-1, packet.side, 2)
    out[packet.first : packet.first + len(levels)] = _STEP * levels
    return out
