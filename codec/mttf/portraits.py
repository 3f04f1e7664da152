"""What the trainer learns from, as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError


@dataclass(frozen=True)
class Portraits:
    """F pictures of people.  pictures: [F, S, S, 3] uint8 RGB.  mattes: [F, M, M] uint8, 255 =
    person.  clip, person: [F] numbers; pictures of one clip are pairs, a person is never split.
    meshes: [F, P, 2] landmarks, 0 .. 1 of the picture; P is 0 where there are none.  mirror: [P]
    the landmark on the other side of the face."""

    pictures: NDArray[np.uint8]
    mattes: NDArray[np.uint8]
    clip: NDArray[np.int64]
    person: NDArray[np.int64]
    meshes: NDArray[np.float32]
    mirror: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.pictures)
        if not (
            len(self.mattes) == len(self.clip) == len(self.person) == len(self.meshes) == count > 0
        ):
            raise InputError("pictures, mattes, clips, people and meshes are not equally many")

    def of(self, people: Iterable[int]) -> Portraits:
        """Those of some people.  Raises InputError where there are none."""
        rows = np.isin(self.person, list(people))
        if not rows.any():
            raise InputError("nobody is left to learn from", "Give clips of more people.")
        return Portraits(
            self.pictures[rows],
            self.mattes[rows],
            self.clip[rows],
            self.person[rows],
            self.meshes[rows],
            self.mirror,
        )

    def without(self, people: Iterable[int]) -> Portraits:
        return self.of(set(self.person.tolist()) - set(people))


def held_out_clips() -> tuple[str, ...]:
    """Names, without suffix, of the clips of the ten test people: never trained on."""
    text = (resources.files("codec.mttf") / "data" / "held_out.txt").read_text()
    return tuple(text.split())
