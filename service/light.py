"""The light of a call where it is not the one that was enrolled, and what a camera makes of it:
white balance, exposure, contrast.  Sent once, as a gain and an offset of each colour.

It is measured between what the camera shows of the person and what the avatar would, in means over
patches, which do not heed that a feature lies a pixel beside where it should.  A receiver puts it
into the avatar's own colours, so that drawing costs what it did (docs/bitstream.md, section 3.9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.errors import InputError
from avatar.face import FaceStates, FaceTrack
from codec.packet import LightPacket
from render.relight import relit
from service.backdrop import crops_of_video

MODES = ("auto", "neutral")

_OCTAVE = 64  # steps of a gain
_SURELY = 247  # of a matte's 255: all of it is person

Array = NDArray[Any]


@dataclass(frozen=True)
class LightSettings:
    """frames: that are looked at.  size, patch: pixels of a picture's side and of a patch's.
    noise: levels that a patch is off by without a change of light; outlier: at which one counts
    half.  gain, offset: how far light changes, as a deviation; levels.  least: levels that the
    person's patches must come nearer by, root mean square."""

    frames: int = 24
    size: int = 64
    patch: int = 4
    noise: float = 8.0
    outlier: float = 16.0
    gain: float = 0.4
    offset: float = 32.0
    least: float = 1.0


def changed_light(
    source: str | Path,
    track: FaceTrack,
    states: FaceStates,
    avatar: Avatar,
    frames: slice | None = None,
    settings: LightSettings = LightSettings(),
) -> LightPacket | None:
    """Of a tracked video, or a range of its frames; None where nothing worth sending has changed.

    states: of the track's frames, for this avatar.
    """
    from render.portrait import Portrait

    if len(states) != len(track):
        raise InputError("states and track are not of the same frames", "Track the video again.")
    rows = np.flatnonzero(states.visible)
    if not len(rows):
        return None
    rows = rows[np.linspace(0, len(rows) - 1, min(settings.frames, len(rows))).astype(int)]
    size, crop_of = settings.size, crops_of_video(source, track, settings.size, frames)
    portrait = Portrait(avatar, device="cpu")
    shown, filmed = [], []
    for row in np.unique(rows).tolist():
        person = _patches(_resized(track.mask[row], size)[..., None], settings.patch)[:, 0]
        sure = person >= _SURELY
        drawn = portrait.render(states.values[row], size, size)
        shown.append(_patches(drawn, settings.patch)[sure])
        filmed.append(_patches(crop_of(row), settings.patch)[sure])
    return light_between(np.concatenate(shown), np.concatenate(filmed), settings)


def light_between(
    shown: Array, filmed: Array, settings: LightSettings = LightSettings()
) -> LightPacket | None:
    """Patches [N, 3] in levels, as drawn and as filmed.

    A robust regression a colour, by iteratively reweighted least squares, held to no change."""
    if len(shown) == 0:
        return None
    held = np.diag(np.square(settings.noise / np.array([settings.gain, settings.offset])))
    gains, offsets = [], []
    for x, y in zip(shown.T.astype(np.float64), filmed.T.astype(np.float64)):
        middle = x.mean()
        design = np.stack([x - middle, np.ones_like(x)], axis=1)
        change = np.zeros(2)
        for _ in range(20):
            off = y - x - design @ change
            weight = 1.0 / (1.0 + np.square(off / settings.outlier))
            normal = (design * weight[:, None]).T @ design + held
            change = np.linalg.solve(normal, design.T @ (weight * (y - x)))
        gain = max(1.0 + float(change[0]), 0.25)
        step = int(np.clip(round(_OCTAVE * np.log2(gain)), -128, 127))
        gain = 2.0 ** (step / _OCTAVE)
        offset = float(change[1]) + (1.0 - gain) * middle
        gains.append(step)
        offsets.append(int(np.clip(round(offset), -128, 127)))
    packet = LightPacket((gains[0], gains[1], gains[2]), (offsets[0], offsets[1], offsets[2]))
    before, after = _off(shown, filmed), _off(_lit(shown, packet), filmed)
    return packet if before - after >= settings.least else None


def with_light(avatar: Avatar, packet: LightPacket) -> Avatar:
    """The avatar whose person has the colours gain * c + offset; its background stays."""
    gain, offset = _numbers(packet)
    return replace(avatar, tensors=relit(avatar.tensors, gain, offset / 255.0))


def _numbers(packet: LightPacket) -> tuple[Array, Array]:
    """Gains, and offsets in levels."""
    gain = np.exp2(np.array(packet.gains, np.float32) / _OCTAVE)
    return gain, np.array(packet.offsets, np.float32)


def _lit(colours: Array, packet: LightPacket) -> Array:
    gain, offset = _numbers(packet)
    return np.clip(colours * gain + offset, 0.0, 255.0)


def _off(shown: Array, filmed: Array) -> float:
    return float(np.sqrt(np.square(shown - filmed).mean()))


def _patches(picture: Array, side: int) -> Array:
    """[S, S, C] -> means of patches [N, C]."""
    count = len(picture) // side
    parts = picture[: count * side, : count * side].reshape(count, side, count, side, -1)
    return np.asarray(parts.mean(axis=(1, 3), dtype=np.float64).reshape(count * count, -1))


def _resized(mask: Array, size: int) -> Array:
    import cv2

    return np.asarray(cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA))
