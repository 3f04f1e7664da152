"""Pictures that do not move, the floor of the comparison: they cost nothing and show nobody speak.

They are baselines, not codecs: the second knows the judged frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from avatar.errors import InputError
from bench.codec import Clip, Outcome


@dataclass(frozen=True)
class Still:
    """which: the enrolment's "first" frame, or for each judged frame the "best" of them."""

    which: Literal["first", "best"]
    rate_counts: bool = False

    @property
    def name(self) -> str:
        return f"still-{self.which}"

    @property
    def title(self) -> str:
        if self.which == "first":
            return "First enrolment frame"
        return "Best enrolment frame for each"

    @property
    def points(self) -> tuple[float, ...]:
        return (0.0,)

    def missing(self) -> str:
        return ""

    def code(self, clip: Clip, point: float) -> Outcome:
        material = clip.material
        if material is None or material.enrolled is None:
            raise InputError(
                f"{clip.name}: there is no enrolment part to take a frame from",
                "Let the run cut the clip itself: --hold-out 10s",
            )
        from enroll.capture import open_video
        from enroll.crops import cut_window
        from service.baseline import baseline

        window, side = material.window, clip.frames.shape[1]
        pictures = (cut_window(f.image, window, side) for f in open_video(material.enrolled))
        found = baseline(clip.frames, pictures)
        still = np.broadcast_to(found.first, clip.frames.shape)
        shown = found.best if self.which == "best" else np.ascontiguousarray(still)
        return Outcome({"none": 0}, shown, "nothing is sent", packets=1)


def still_codecs() -> list[Still]:
    return [Still("first"), Still("best")]
