"""What a camera that is looked at now has to send: tracked, looked for, and at rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from avatar.avatar import Avatar
from avatar.face import FaceStates, FaceTrack
from enroll.capture import Frame
from enroll.crops import cut_window
from service.camera_noise import CameraNoise
from service.rest import Rest
from service.states import states_of

if TYPE_CHECKING:  # one who looks for nothing needs no torch
    from service.live_refiner import LiveRefiner
    from service.surroundings import Surroundings

_SIDE = 256  # pixels of the window whose noise is measured, as `service.rest` has it


class LiveStates:
    """Of one person, in the order of the frames.  refiner: looks for what the tracker missed."""

    def __init__(self, avatar: Avatar, refiner: LiveRefiner | None = None) -> None:
        self._avatar = avatar
        self._refiner = refiner
        self._camera = CameraNoise()
        self._rest = Rest(avatar.layout, avatar.statistics)

    def step(self, frame: Frame, track: FaceTrack, looks: bool = True) -> FaceStates:
        """The next frame's (one row).  track: its row.  looks: False for a face that is somebody
        else's, in which nothing of the avatar is to be found."""
        states = states_of(track, self._avatar)
        if self._refiner is not None and looks:
            states = self._refiner.step(frame, track, states)
        noise = self._camera.step(cut_window(frame.image, track.window, _SIDE))
        if not states.visible[0]:
            return states
        values = self._rest.step(frame.time, states.values[0], noise)
        return replace(states, values=values[None])

    def take(self, found: Surroundings) -> None:
        """From now on the person is there: what is looked for is what a receiver will see."""
        if self._refiner is not None:
            self._refiner.take(found.person(self._avatar))
