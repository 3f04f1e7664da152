"""The tracker of a call in a process of its own, and what finds out where the camera is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.apart import Apart, EndedError
from service.calls.threads import by_itself, finder

if TYPE_CHECKING:
    from avatar.avatar import Avatar
    from avatar.face import FaceStates, FaceTrack
    from enroll.capture import Frame
    from enroll.track_live import TrackedFrame
    from service.surroundings import Surroundings
    from service.surroundings_watch import WatchSettings


class TrackerApart:
    """As `enroll.track_live.CausalTracker`, with an avatar's prior.  A process that dies is begun
    anew, and finds the face as at first."""

    def __init__(self, avatar: Avatar, settings: WatchSettings) -> None:
        """settings: of `surroundings`."""
        self._apart = Apart(_Tracking, avatar, settings)

    def step(self, frame: Frame) -> TrackedFrame:
        """Raises EndedError where the process dies of this frame twice, or is closed, too."""
        try:
            tracked: TrackedFrame = self._apart.call("step", frame)
        except EndedError:
            tracked = self._apart.call("step", frame)
        return tracked

    @property
    def surroundings(self) -> SurroundingsApart:
        """Of the frames that are tracked."""
        return SurroundingsApart(self._apart)

    def close(self) -> None:
        self._apart.close()


class SurroundingsApart:
    """As `service.surroundings_watch.SurroundingsWatch`, of the frame that was tracked last."""

    def __init__(self, apart: Apart) -> None:
        self._apart = apart

    def step(self, frame: Frame, track: FaceTrack, states: FaceStates) -> Surroundings | None:
        """Raises EndedError where the process dies of it, or is closed."""
        found: Surroundings | None = self._apart.call("look", states)
        return found


class _Tracking:
    """What tracks, in that process."""

    def __init__(self, avatar: Avatar, settings: WatchSettings) -> None:
        from enroll.scene import TrackPrior
        from enroll.track_live import CausalTracker
        from service.surroundings_watch import SurroundingsWatch

        by_itself()
        self._tracker = CausalTracker(prior=TrackPrior.of(avatar))
        self._watch = SurroundingsWatch(avatar, settings, finder())
        self._last: tuple[Frame, FaceTrack] | None = None

    def step(self, frame: Frame) -> TrackedFrame:
        tracked = self._tracker.step(frame)
        self._last = frame, tracked.row
        return tracked

    def look(self, states: FaceStates) -> Any:
        return None if self._last is None else self._watch.step(*self._last, states)
