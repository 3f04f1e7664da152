"""Where a call is made, as far as it differs from where its avatar was enrolled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avatar.avatar import Avatar
from avatar.face import FaceStates, FaceTrack
from codec.container import Stream
from codec.packet import BackgroundPacket, LightPacket
from codec.session.surroundings import SurroundingsMessage
from service.backdrop import changed_room, with_background
from service.light import changed_light, with_light


@dataclass(frozen=True)
class Surroundings:
    """Each is None where nothing has changed that is worth its bytes."""

    background: BackgroundPacket | None = None
    light: LightPacket | None = None

    @classmethod
    def of(cls, told: Stream | SurroundingsMessage) -> Surroundings:
        return cls(told.background, told.light)

    @property
    def message(self) -> SurroundingsMessage:
        """That says so in a call."""
        return SurroundingsMessage(self.light, self.background)

    def __iter__(self) -> Iterator[BackgroundPacket | LightPacket]:
        """What is sent, in the order of the stream."""
        return (packet for packet in (self.background, self.light) if packet is not None)

    def around(self, avatar: Avatar) -> Avatar:
        """The avatar as it is to be drawn there.  Raises StreamError for a background that is no
        picture."""
        if self.light is not None:
            avatar = with_light(avatar, self.light)
        if self.background is not None:
            avatar = with_background(avatar, self.background)
        return avatar


SAME = Surroundings()


def surroundings_of(
    source: str | Path,
    track: FaceTrack,
    states: FaceStates,
    avatar: Avatar,
    frames: slice | None = None,
    background: str = "auto",
    light: str = "auto",
) -> Surroundings:
    """Of a tracked video, or a range of its frames.  background: of `backdrop.MODES`; light: of
    `light.MODES`.  states: of the track's frames, for this avatar."""
    room = lit = None
    if background != "never":
        room = changed_room(source, track, avatar, frames, background == "always")
    if light != "neutral":
        lit = changed_light(source, track, states, avatar, frames)
    return Surroundings(room, lit)
