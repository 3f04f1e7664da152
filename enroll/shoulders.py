"""The shoulders of a tracked person: measured against those that were enrolled, or, where the
person wears something else, against those of this very video.

In other clothes the enrolled picture registers with nothing, and what comes out is no motion at
all.  There the shoulders are put under the head as they were when enrolled, nearer or farther with
it, and from then on move as the video's own reference says.  In a live call a jacket is taken off
or put on: which of the two it is, is asked again and again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import Pinhole
from enroll.torso import SIZE, TorsoRegistration, TorsoSettings, middle_of, torso_reference

Array = NDArray[Any]


@dataclass(frozen=True)
class Rest:
    """How an enrolment stood, on the average.  translation: [3] of the head, camera space, metres.
    torso: [4] as in `FaceTrack`.  camera: it was filmed with."""

    translation: Array
    torso: Array
    camera: Pinhole

    def under(self, translation: Array, camera: Pinhole, pivot: Array) -> Array:
        """The torso's numbers [4] under a head at `translation`, seen by `camera`: the enrolled
        shoulders as far from the head as they were, in heads.  pivot: [2] window, what the
        numbers' scale is about."""
        size, size_now = (c.focal / -t[2] for c, t in self._views(translation, camera))
        head, head_now = (c.project(t) for c, t in self._views(translation, camera))
        grown = size_now / size
        shift = head_now + grown * (pivot + self.torso[:2] - head) - pivot
        return np.array([*shift, self.torso[2], self.torso[3] + np.log(grown)])

    def _views(self, translation: Array, camera: Pinhole) -> list[tuple[Pinhole, Array]]:
        return [(self.camera, np.asarray(self.translation)), (camera, np.asarray(translation))]


class Shoulders:
    """`step` takes the frames in order; `all` sees them together.

    reference: [64, 64] the enrolled one, or None: the first frame's.  rest: None where the
    enrolled reference holds whatever is seen.
    """

    def __init__(
        self,
        reference: Array | None = None,
        rest: Rest | None = None,
        settings: TorsoSettings | None = None,
    ) -> None:
        self._settings = settings or TorsoSettings()
        self._rest = rest
        self._register: TorsoRegistration | None = None
        self._enrolled: TorsoRegistration | None = None  # in other clothes
        self._under: Array | None = None  # [4], in other clothes
        self._pivot = np.zeros(2)
        self._agreed: deque[float] = deque(maxlen=self._settings.rewatched)
        self._frames = 0
        self.reference: Array = np.zeros((SIZE, SIZE), np.uint8)
        if reference is not None:
            self._know(reference)

    def _know(self, reference: Array) -> None:
        self.reference = reference
        self._pivot = middle_of(reference)
        self._register = TorsoRegistration(reference, self._settings)

    def step(self, grey: Array, mask: Array, chin: float, head: Array, camera: Pinhole) -> Array:
        """[4] of a frame.  grey, mask: [64, 64] uint8 over the window.  chin: v in the window.
        head: [3], its translation."""
        if self._register is None:
            self._know(torso_reference(grey, mask, chin))
        assert self._register is not None
        moved = self._register.step(grey)
        if self._rest is None:
            return moved
        self._frames += 1
        settings = self._settings
        if self._under is not None:
            return self._undressed(grey) if self._worn_again(grey) else self._composed(moved)
        self._agreed.append(self._register.agreement)
        first = self._frames <= settings.watched
        due = len(self._agreed) >= (settings.least_watched if first else settings.rewatched)
        if due and self._strange(self._agreed):
            self._dress(torso_reference(grey, mask, chin), head, camera)
            return self._composed(np.zeros(4))
        if first and self._register.agreement < settings.agreement:
            return self._rest.under(head, camera, self._pivot)
        return moved

    def _worn_again(self, grey: Array) -> bool:
        """Whether, for some time now, it is the enrolled clothes after all."""
        assert self._enrolled is not None
        if self._frames % self._settings.every:
            return False
        self._enrolled.step(grey)
        self._agreed.append(self._enrolled.agreement)
        enough = len(self._agreed) >= self._settings.rewatched // self._settings.every
        return enough and not self._strange(self._agreed)

    def all(
        self, grey: Array, mask: Array, usual: int, chin: float, heads: Array, camera: Pinhole
    ) -> Array:
        """[F, 4] of all frames [F, 64, 64] of a video; heads: [F, 3].  usual: the frame that a
        reference is made of where one is needed, chin: its chin."""
        if self._register is None:
            self._know(torso_reference(grey[usual], mask[usual], chin))
        moved, agreed = self._registered(grey)
        if self._rest is None or not self._strange(agreed):
            return moved
        self._dress(torso_reference(grey[usual], mask[usual], chin), heads[usual], camera)
        moved, _ = self._registered(grey)
        return np.array([self._composed(row) for row in moved])

    def _registered(self, grey: Array) -> tuple[Array, list[float]]:
        assert self._register is not None
        moved, agreed = [], []
        for picture in grey:
            moved.append(self._register.step(picture))
            agreed.append(self._register.agreement)
        return np.array(moved), agreed

    def _strange(self, agreed: Iterable[float]) -> bool:
        return float(np.median(list(agreed))) < self._settings.agreement

    def _dress(self, own: Array, head: Array, camera: Pinhole) -> None:
        """From here on the shoulders' motion is against this video's own reference."""
        assert self._rest is not None
        self._enrolled = self._register
        self._register = TorsoRegistration(own, self._settings)
        self._under = self._rest.under(head, camera, self._pivot)
        self._agreed = deque(maxlen=self._settings.rewatched // self._settings.every)

    def _undressed(self, grey: Array) -> Array:
        """From here on it is against the enrolled reference again."""
        assert self._enrolled is not None
        self._register, self._enrolled, self._under = self._enrolled, None, None
        self._agreed = deque(maxlen=self._settings.rewatched)
        return self._register.step(grey)

    def _composed(self, moved: Array) -> Array:
        """Motion by the own reference, about its own middle, of the shoulders under the head."""
        assert self._register is not None and self._under is not None
        middle = (np.array(self._register.middle) + 0.5) / SIZE
        turned = np.exp(moved[3]) * np.array(
            [[np.cos(moved[2]), -np.sin(moved[2])], [np.sin(moved[2]), np.cos(moved[2])]]
        )
        place = middle + moved[:2] + turned @ (self._pivot + self._under[:2] - middle)
        return np.array([*(place - self._pivot), *(self._under[2:] + moved[2:])])
