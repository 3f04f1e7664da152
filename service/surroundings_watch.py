"""The surroundings of a call while it is filmed: found after its first second, and looked at again
now and then, for a lamp is switched on, and a camera gets used to it."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from avatar.avatar import Avatar
from avatar.face import FaceStates, FaceTrack, Window
from enroll.capture import Frame
from enroll.crops import cut_window
from service.backdrop import BackdropSettings, SeenRoom, background_packet, side_of
from service.light import LightSettings, SeenLight, light_between
from service.seen_posture import PostureSettings, SeenPosture
from service.surroundings import SAME, Surroundings

_SURE = 2  # times at the least: what somebody hides at first, who moves, is seen by then
_CELLS = 8  # a side, of a glance
_Looked = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]


@dataclass(frozen=True)
class WatchSettings:
    """background, light, posture: whether what is found of them is told; the last is a second of
    a core's work, and told by states that are right (`service.live_refiner`).  every: microseconds
    between two frames that are looked at.  first, later: so many of them until something is found,
    at first and afterwards.  fade: what was seen of a room before counts so much then.  changed:
    levels of 255 by which the picture has to be another, on the average, for more to be looked for
    once there was nothing new: it takes a second of a core, which who films would wait for.
    backdrop: a picture that fits into one datagram with all else, of little work."""

    background: bool = True
    light: bool = True
    posture: bool = False
    every: int = 100_000
    first: int = 10
    later: int = 100
    fade: float = 0.25
    changed: float = 3.0
    backdrop: BackdropSettings = BackdropSettings(
        sides=(64, 128), qualities=(16, 24, 36, 48), most=1000
    )
    lit: LightSettings = field(default_factory=lambda: LightSettings(frames=10))
    held: PostureSettings = field(default_factory=lambda: PostureSettings(rays=512))


@dataclass(frozen=True)
class _Glance:
    """A picture at its coarsest.  colours: [8, 8, 3] levels.  person: [8, 8], whether it is one."""

    colours: NDArray[np.float32]
    person: NDArray[np.bool_]

    @classmethod
    def of(cls, picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> _Glance:
        import cv2

        small = (_CELLS, _CELLS)
        colours = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32)
        return cls(colours, cv2.resize(mask, small, interpolation=cv2.INTER_AREA) > 127)

    def apart(self, other: _Glance) -> float:
        """Mean difference where both show the person, or neither does."""
        alike = self.person == other.person
        away = np.abs(self.colours - other.colours)[alike]
        return float(away.mean()) if away.size else np.inf


class SurroundingsWatch:
    """One person before one camera.  beside: does the work of finding; None: who films does."""

    def __init__(
        self,
        avatar: Avatar,
        settings: WatchSettings = WatchSettings(),
        beside: Executor | None = None,
    ) -> None:
        self.found = SAME  # as told last
        self._avatar, self._settings = avatar, settings
        self._beside = beside
        self._light = SeenLight(avatar, settings.lit)
        self._posture = SeenPosture(settings.held)
        self._begin(None)

    def _begin(self, window: Window | None) -> None:
        self._window = window
        self._room = SeenRoom(side_of(self._avatar))
        self._looked: list[_Looked] = []
        self._before: _Glance | None = None  # when something was found last
        self._sought = 0  # times since the camera stands here
        self._settled = False  # nothing new the last time
        self._wanted, self._next = self._settings.first, -(1 << 62)
        self._finding: Future[Surroundings] | None = None

    def step(self, frame: Frame, track: FaceTrack, states: FaceStates) -> Surroundings | None:
        """The next frame of the avatar's owner, its track and states (a row each): where the face
        is now, if that is not what was told before."""
        if self._finding is not None:
            if not self._finding.done():
                return None
            finding, self._finding = self._finding, None
            return self._told(finding.result())
        if not states.visible[0] or frame.time < self._next:
            return None
        if track.window != self._window:
            self._begin(track.window)  # the camera was turned
        self._next = frame.time + self._settings.every
        room = cut_window(frame.image, track.window, self._room.side)
        person = cut_window(frame.image, track.window, self._settings.lit.size)
        self._looked.append((room, person, track.mask[0], states.values[0]))
        if len(self._looked) < self._wanted:
            return None
        looked, self._looked = self._looked, []
        self._wanted = self._settings.later
        room, _, mask, _ = looked[-1]
        if not self._worth(_Glance.of(room, mask)):
            return None
        if self._beside is None:
            return self._told(self._find(looked))
        self._finding = self._beside.submit(self._find, looked)
        return None

    def _worth(self, now: _Glance) -> bool:
        """Whether there may be something to find that was not found before."""
        before, settled = self._before, self._settled and self._sought >= _SURE
        if settled and before and now.apart(before) < self._settings.changed:
            return False
        self._before, self._sought = now, self._sought + 1
        return True

    def _told(self, found: Surroundings) -> Surroundings | None:
        self._settled = found == self.found
        if self._settled:
            return None
        self.found = found
        return found

    def _find(self, looked: list[_Looked]) -> Surroundings:
        settings, held = self._settings, self.found
        self._room.fade(settings.fade)
        for room, _, mask, _ in looked:
            self._room.look(room, mask)
        for _, person, mask, values in looked[-settings.lit.frames :]:
            self._light.look(person, mask, values)
        background = light = None
        if settings.posture:
            spread = max(1, len(looked) // settings.held.frames)
            for window, _, mask, values in looked[::spread]:
                self._posture.look(window, mask, values)
        if settings.background:
            background = background_packet(
                self._room.room, self._avatar, settings.backdrop, held=held.background
            )
        if settings.light:
            light = light_between(*self._light.patches, settings.lit, held.light)
        posture = held.posture
        if settings.posture and self._posture.full:  # a second is a moment of a gesture
            lit = Surroundings(light=light).person(self._avatar)
            posture = self._posture.posture(lit, held.posture)
        return Surroundings(background, light, posture)
