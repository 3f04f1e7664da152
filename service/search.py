"""What a recorded call sends: its person's states, and where they are, each looked for in the light
of the other.

Room and light are told by what was tracked; states are then looked for in that light; how the
shoulders are held shows once these are right; and where that is another way than in the enrolment,
states are looked for once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from avatar.avatar import Avatar
from avatar.errors import InputError
from avatar.face import FaceStates, FaceTrack
from service import backdrop, light, posture
from service.surroundings import Surroundings, surroundings_of

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class SearchSettings:
    """effort: as `facewire encode` has it.  background, light, posture: of `backdrop.MODES`,
    `light.MODES` and `posture.MODES`.  wished: bytes of a background, as `BackdropSettings`."""

    effort: int = 0
    background: str = "auto"
    light: str = "auto"
    posture: str = "auto"
    wished: int | None = None

    def __post_init__(self) -> None:
        for name, known in (
            ("background", backdrop.MODES),
            ("light", light.MODES),
            ("posture", posture.MODES),
        ):
            if (asked := getattr(self, name)) not in known:
                raise InputError(
                    f"there is no {name} {asked!r}", f"Choose from {', '.join(known)}."
                )


def searched(
    source: str | Path,
    track: FaceTrack,
    states: FaceStates,
    avatar: Avatar,
    settings: SearchSettings,
    frames: slice | None = None,
    progress: Progress | None = None,
) -> tuple[FaceStates, Surroundings]:
    """states: of the track's frames, as tracked, for this avatar.  frames: the range of the video
    that was tracked."""

    def refined(states: FaceStates, place: Surroundings) -> FaceStates:
        if not settings.effort:
            return states
        from service.refined_states import refined

        # What a receiver will see.
        person = place.person(avatar)
        return refined(states, track, source, person, settings.effort, frames, progress)

    place = surroundings_of(
        source, track, states, avatar, frames, settings.background, settings.light, settings.wished
    )
    states = refined(states, place)
    if settings.posture == "never":
        return states, place
    from service.seen_posture import changed_posture

    held = changed_posture(source, track, states, place.person(avatar), frames)
    if held is None:
        return states, place
    place = replace(place, posture=held)
    return refined(states, place), place
