"""The tracker of a call in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.apart import Apart, EndedError
from service.calls.threads import by_itself

if TYPE_CHECKING:
    from enroll.capture import Frame
    from enroll.scene import TrackPrior
    from enroll.track_live import TrackedFrame


class TrackerApart:
    """As `enroll.track_live.CausalTracker`, with an avatar's prior.  A process that dies is begun
    anew, and finds the face as at first."""

    def __init__(self, prior: TrackPrior) -> None:
        self._apart = Apart(_tracker, prior)

    def step(self, frame: Frame) -> TrackedFrame:
        """Raises EndedError where the process dies of this frame twice, or is closed, too."""
        try:
            tracked: TrackedFrame = self._apart.call("step", frame)
        except EndedError:
            tracked = self._apart.call("step", frame)
        return tracked

    def close(self) -> None:
        self._apart.close()


def _tracker(prior: TrackPrior) -> Any:
    from enroll.track_live import CausalTracker

    by_itself()
    return CausalTracker(prior=prior)
