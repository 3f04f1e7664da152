"""The room of a call where it is not the one that was enrolled: sent once, as a key frame.

What is sent is the difference between what the call shows around the person and what the avatar
has learned, at a small size and by AV1 intra: flat, and cheap, where nothing has changed.  A
receiver adds it to the avatar's background (docs/bitstream.md, section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.errors import InputError
from avatar.face import FaceTrack
from codec.mttf.classic import CODECS
from codec.mttf.keyframe import decode_key, encode_key
from codec.packet import MAX_BODY, BackgroundPacket
from enroll.inpaint import inpainted
from render.lanczos import lanczos
from service.windows import crops_of_video, spread

PLANE = "fields.background.plane"  # [1, S, S, 3] 0 .. 1, in an avatar's tensors
MODES = ("auto", "always", "never")

_ZERO = 128  # how no difference is written; half a level a step
_QUIET = 4.0  # levels: smaller differences are the fit's and the camera's, and are not sent
_SURELY = 8  # of a matte's 255: less is no person
_GROW = 2  # cells of a matte about a person that are not looked at either
_LEAST = 0.1  # of the frames must show a place
_HIDDEN = 0.1  # what a place counts that the person always hid: edges of it may come to be seen
_ABOUT = 0.04  # of the window's side: what detail is measured against
_BORDER = 0.015  # of it: the matte leaks, so that what was hidden takes after means, not its edge
_OTHER = 1.5  # times the detail of a room in what is to be added to the learned: it is another room

Array = NDArray[Any]


@dataclass(frozen=True)
class BackdropSettings:
    """frames: that are looked at.  sides, qualities: pixels and CRF that are tried.  price: squared
    levels, mean over the window, that a byte must save; least: that all of it must save.  most:
    bytes.  wished: bytes that are kept to where so many save anything; None: most."""

    frames: int = 48
    sides: tuple[int, ...] = (64, 128, 256)
    qualities: tuple[int, ...] = (16, 24, 36, 48)
    price: float = 0.01
    least: float = 4.0
    most: int = MAX_BODY
    wished: int | None = None
    codec: str = "av1"


@dataclass(frozen=True)
class Room:
    """picture: [S, S, 3] levels, what a call shows behind the person.  seen: [S, S], how often,
    0 where it never does."""

    picture: Array
    seen: Array


class SeenRoom:
    """What is seen behind the person, frame by frame.  side: pixels of the window's."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.frames = 0.0
        self._total, self._seen = np.zeros((side, side, 3)), np.zeros((side, side))
        self._kernel = np.ones((2 * _GROW + 1, 2 * _GROW + 1), np.uint8)

    def look(self, window: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """window: [side, side, 3].  mask: [M, M] 0..255 where the person is."""
        import cv2

        person = cv2.dilate(mask, self._kernel)
        free = cv2.resize((person < _SURELY).astype(np.float32), (self.side, self.side)) > 0.99
        self._total[free] += window[free]
        self._seen += free
        self.frames += 1

    def fade(self, share: float) -> None:
        """What was seen before counts so much from now on."""
        self._total *= share
        self._seen *= share
        self.frames *= share

    @property
    def room(self) -> Room:
        share = self._seen / max(self.frames, 1e-6)
        picture = self._total / np.maximum(self._seen, 1e-6)[..., None]
        return Room(picture, np.where(share >= _LEAST, share, 0.0))


def room_of(
    track: FaceTrack, crop_of: Callable[[int], NDArray[np.uint8]], side: int, frames: int
) -> Room:
    """crop_of(row): the tracked window of a frame, [side, side, 3]."""
    seen = SeenRoom(side)
    for row in spread(track.confidence > 0, frames):
        seen.look(crop_of(row), track.mask[row])
    return seen.room


def background_packet(
    room: Room,
    avatar: Avatar,
    settings: BackdropSettings = BackdropSettings(),
    always: bool = False,
    held: BackgroundPacket | None = None,
) -> BackgroundPacket | None:
    """The key frame of a room; None where it saves less than it costs (or, `always`, nothing).
    held: what a receiver has, which stays where another one saves less than that."""
    learned = _plane(avatar)
    if learned.shape[:2] != room.picture.shape[:2]:
        raise InputError("the room and the avatar's background differ in size")
    off = _off(learned, room)
    off *= (_smooth(np.abs(off).max(-1)) >= _QUIET)[..., None]
    target = np.where(room.seen[..., None] > 0, room.picture, learned + off)
    weight = np.maximum(room.seen, _HIDDEN)

    def error(packet: BackgroundPacket | None) -> float:
        shown = learned if packet is None else _added(learned, packet)
        return float((np.square(shown - target).mean(-1) * weight).mean())

    stays = error(held)
    if held is not None and error(None) - stays < settings.least:
        held, stays = None, error(None)  # the room is the enrolled one again
    best, least = held, -np.inf if always else settings.least
    wished = settings.most if settings.wished is None else settings.wished
    rank = (False, -np.inf)
    for side in settings.sides if always or np.any(off) else ():
        small = lanczos(off.astype(np.float32), side, side)
        drawn = np.clip(np.rint(small / 2 + _ZERO), 0, 255).astype(np.uint8)
        for quality in settings.qualities:
            data = encode_key(drawn, settings.codec, quality)
            packet = BackgroundPacket(CODECS[settings.codec].number, side, data)
            saved = stays - error(packet) - settings.price * len(data)
            if saved <= least or len(data) > settings.most:
                continue
            if (mine := (len(bytes(packet)) <= wished, saved)) > rank:
                best, rank = packet, mine
    return best


def with_background(avatar: Avatar, packet: BackgroundPacket) -> Avatar:
    """The avatar before the room that a stream brought.  Raises StreamError for bytes that are no
    picture."""
    plane = _added(_plane(avatar), packet) / 255.0
    tensors = dict(avatar.tensors)
    tensors[PLANE] = plane[None].astype(np.float32)
    return replace(avatar, tensors=tensors)


def changed_room(
    source: str | Path,
    track: FaceTrack,
    avatar: Avatar,
    frames: slice | None = None,
    always: bool = False,
    wished: int | None = None,
) -> BackgroundPacket | None:
    """Of a tracked video, or a range of its frames, what `background_packet` says.  wished: as
    `BackdropSettings`."""
    side = side_of(avatar)
    settings = BackdropSettings(wished=wished)
    room = room_of(track, crops_of_video(source, track, side, frames), side, settings.frames)
    return background_packet(room, avatar, settings, always)


def side_of(avatar: Avatar) -> int:
    """Pixels of the avatar's background."""
    return int(np.asarray(avatar.tensors[PLANE]).shape[1])


def _plane(avatar: Avatar) -> Array:
    return np.asarray(avatar.tensors[PLANE], np.float64)[0] * 255.0


def _added(learned: Array, packet: BackgroundPacket) -> Array:
    """Section 3.8: learned [S, S, 3] levels -> what is behind the person in this call."""
    drawn = decode_key(packet.data, packet.codec, packet.side)
    off = 2.0 * (drawn.astype(np.float64) - _ZERO)
    off[np.abs(off).max(-1) < _QUIET / 2] = 0.0
    return np.clip(learned + lanczos(off.astype(np.float32), *learned.shape[1::-1]), 0.0, 255.0)


def _off(learned: Array, room: Room) -> Array:
    """What is to be added, [S, S, 3] levels.  Where the person always hid the wall: a wall that
    grew darker is darker there, too; of another wall it shows what is around."""
    known = room.seen > 0
    off = np.where(known[..., None], room.picture - learned, 0.0)
    if _detail(off, known) < _OTHER * _detail(room.picture, known):
        return _filled(off, known)
    return np.asarray(_filled(room.picture, known) - learned)


def _filled(picture: Array, known: Array) -> Array:
    mean, near = _means(picture, known, _BORDER)
    return inpainted(np.where(known[..., None], picture, mean), known | (near > 0.05))


def _detail(picture: Array, known: Array) -> float:
    """Squared levels between what is known and its surroundings' mean."""
    mean, _ = _means(picture, known, _ABOUT)
    return float(np.square((picture - mean)[known]).sum())


def _means(picture: Array, known: Array, about: float) -> tuple[Array, Array]:
    """What is known about each place [S, S, 3], and how much that is [S, S], 0 .. 1."""
    import cv2

    weight = known.astype(np.float32)
    deviation = about * len(picture)
    near = cv2.GaussianBlur(weight, (0, 0), deviation)
    total = cv2.GaussianBlur((picture * weight[..., None]).astype(np.float32), (0, 0), deviation)
    return total / np.maximum(near, 1e-6)[..., None], near


def _smooth(x: Array) -> Array:
    import cv2

    return np.asarray(cv2.blur(x.astype(np.float32), (5, 5)))
