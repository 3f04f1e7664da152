"""Where a call is made, and how its person holds themselves there, as far as that differs from the
enrolment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avatar.avatar import Avatar
from avatar.face import FaceStates, FaceTrack
from codec.container import Stream
from codec.packet import BackgroundPacket, LightPacket, PosturePacket
from codec.session.surroundings import SurroundingsMessage
from service.backdrop import changed_room, with_background
from service.light import changed_light, with_light
from service.posture import with_posture


@dataclass(frozen=True)
class Surroundings:
    """Each is None where nothing has changed that is worth its bytes."""

    background: BackgroundPacket | None = None
    light: LightPacket | None = None
    posture: PosturePacket | None = None

    @classmethod
    def of(cls, told: Stream | SurroundingsMessage) -> Surroundings:
        return cls(told.background, told.light, told.posture)

    @property
    def message(self) -> SurroundingsMessage:
        """That says so in a call."""
        return SurroundingsMessage(self.light, self.posture, self.background)

    def __iter__(self) -> Iterator[BackgroundPacket | LightPacket | PosturePacket]:
        """What is sent, in the order of the stream."""
        packets = (self.background, self.light, self.posture)
        return (packet for packet in packets if packet is not None)

    def person(self, avatar: Avatar) -> Avatar:
        """The avatar as its person looks there, before the enrolled room."""
        if self.light is not None:
            avatar = with_light(avatar, self.light)
        return avatar if self.posture is None else with_posture(avatar, self.posture)

    def around(self, avatar: Avatar) -> Avatar:
        """The avatar as it is to be drawn there.  Raises StreamError for a background that is no
        picture."""
        avatar = self.person(avatar)
        return avatar if self.background is None else with_background(avatar, self.background)


SAME = Surroundings()


def surroundings_of(
    source: str | Path,
    track: FaceTrack,
    states: FaceStates,
    avatar: Avatar,
    frames: slice | None = None,
    background: str = "auto",
    light: str = "auto",
    wished: int | None = None,
) -> Surroundings:
    """Room and light of a tracked video, or a range of its frames.  background: of
    `backdrop.MODES`; light: of `light.MODES`.  states: of the track's frames, for this avatar.
    wished: as `BackdropSettings`."""
    room = lit = None
    if background != "never":
        room = changed_room(source, track, avatar, frames, background == "always", wished)
    if light != "neutral":
        lit = changed_light(source, track, states, avatar, frames)
    return Surroundings(room, lit)
