"""The light of a call where it is not the one that was enrolled, and what a camera makes of it:
white balance, exposure, contrast.  Sent once, as a gain and an offset of each colour.

It is measured between what the camera shows of the person and what the avatar would, in means over
patches, which do not heed that a feature lies a pixel beside where it should.  A receiver puts it
into the avatar's own colours, so that drawing costs what it did (docs/bitstream.md, section 3.9).
"""

from __future__ import annotations

from collections import deque
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
from service.windows import crops_of_video, spread

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
    if len(states) != len(track):
        raise InputError("states and track are not of the same frames", "Track the video again.")
    crop_of = crops_of_video(source, track, settings.size, frames)
    seen = SeenLight(avatar, settings)
    for row in spread(states.visible, settings.frames):
        seen.look(crop_of(row), track.mask[row], states.values[row])
    return light_between(*seen.patches, settings)


class SeenLight:
    """Patches of the person as filmed, and as the avatar would be in the enrolment's light."""

    def __init__(self, avatar: Avatar, settings: LightSettings = LightSettings()) -> None:
        from render.portrait import Portrait

        self._portrait = Portrait(avatar, device="cpu")
        self._settings = settings
        self._shown: deque[Array] = deque(maxlen=settings.frames)
        self._filmed: deque[Array] = deque(maxlen=settings.frames)

    def look(
        self, window: NDArray[np.uint8], mask: NDArray[np.uint8], values: NDArray[np.float32]
    ) -> None:
        """window: [S, S, 3] of the settings' size.  mask: [M, M] 0..255 where the person is.
        values: [D] the state."""
        size, patch = self._settings.size, self._settings.patch
        sure = _patches(_resized(mask, size)[..., None], patch)[:, 0] >= _SURELY
        drawn = self._portrait.render(values, size, size)
        self._shown.append(_patches(drawn, patch)[sure])
        self._filmed.append(_patches(window, patch)[sure])

    @property
    def patches(self) -> tuple[Array, Array]:
        """[N, 3] levels each, of the last frames that were looked at."""
        if not self._shown:
            return np.zeros((0, 3)), np.zeros((0, 3))
        return np.concatenate(self._shown), np.concatenate(self._filmed)


def light_between(
    shown: Array,
    filmed: Array,
    settings: LightSettings = LightSettings(),
    held: LightPacket | None = None,
) -> LightPacket | None:
    """Patches [N, 3] in levels, as drawn and as filmed.  held: the light that a receiver has, which
    stays where another brings the patches no nearer than `least`.

    A robust regression a colour, by iteratively reweighted least squares, held to no change."""
    if len(shown) == 0:
        return held
    prior = np.diag(np.square(settings.noise / np.array([settings.gain, settings.offset])))
    gains, offsets = [], []
    for x, y in zip(shown.T.astype(np.float64), filmed.T.astype(np.float64)):
        middle = x.mean()
        design = np.stack([x - middle, np.ones_like(x)], axis=1)
        change = np.zeros(2)
        for _ in range(20):
            off = y - x - design @ change
            weight = 1.0 / (1.0 + np.square(off / settings.outlier))
            normal = (design * weight[:, None]).T @ design + prior
            change = np.linalg.solve(normal, design.T @ (weight * (y - x)))
        gain = max(1.0 + float(change[0]), 0.25)
        step = int(np.clip(round(_OCTAVE * np.log2(gain)), -128, 127))
        gain = 2.0 ** (step / _OCTAVE)
        offset = float(change[1]) + (1.0 - gain) * middle
        gains.append(step)
        offsets.append(int(np.clip(round(offset), -128, 127)))
    packet = LightPacket((gains[0], gains[1], gains[2]), (offsets[0], offsets[1], offsets[2]))
    off = [_off(_lit(shown, light), filmed) for light in (None, held, packet)]
    if held is not None and off[0] - off[1] < settings.least:
        held, off[1] = None, off[0]  # the light is the enrolled one again
    return packet if off[1] - off[2] >= settings.least else held


def with_light(avatar: Avatar, packet: LightPacket) -> Avatar:
    """The avatar whose person has the colours gain * c + offset; its background stays."""
    gain, offset = _numbers(packet)
    return replace(avatar, tensors=relit(avatar.tensors, gain, offset / 255.0))


def _numbers(packet: LightPacket) -> tuple[Array, Array]:
    """Gains, and offsets in levels."""
    gain = np.exp2(np.array(packet.gains, np.float32) / _OCTAVE)
    return gain, np.array(packet.offsets, np.float32)


def _lit(colours: Array, packet: LightPacket | None) -> Array:
    if packet is None:
        return colours
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
