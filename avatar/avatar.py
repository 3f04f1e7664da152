"""What a person is, as arrays: everything that an `.avatar` archive holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.camera import Pinhole
from avatar.face import StateLayout, Window
from avatar.habit import Habit

Array = NDArray[Any]


@dataclass(frozen=True)
class Consent:
    """Who agreed to what, when and how.  It travels in the archive's header."""

    subject: str  # whose face: a name, or "self"
    purpose: str  # for what, in plain words
    given_at: str  # ISO 8601, UTC
    method: str  # "prompt" | "flag" | "page"
    version: str  # of the wording that was agreed to


@dataclass(frozen=True)
class StateStatistics:
    """What the entropy coder needs to know of this person's states, D numbers each.

    mean, scale: of the enrolment's states, their units.  step: the quantiser's step at quality 1,
    measured at enrolment so that one step of every number costs the picture about the same.
    """

    mean: Array  # [D] float32
    scale: Array  # [D] float32, standard deviation over the enrolment
    step: Array  # [D] float32, > 0
    # [N, D] int16, N consecutive states of the enrolment at 25 a second, in quarter steps from the
    # mean: what the coder's models learn from before the first frame.  N = 0: they start cold.
    history: Array = field(default_factory=lambda: np.zeros((0, 0), np.int16))
    # [D, D] float32, row j what one step of symbol j adds to the state at quality 1: directions in
    # which errors cost the picture the same and do not add up with one another.  `history` is then
    # in their quarter steps.  None: symbol j is number j in its own steps.
    basis: Array | None = None


@dataclass(frozen=True)
class Avatar:
    name: str
    created: str  # ISO 8601, UTC
    consent: Consent
    camera: Pinhole
    window: Window
    layout: StateLayout
    statistics: StateStatistics
    settings: dict[str, Any]  # the fields' dataclass of settings, as JSON values
    tensors: dict[str, Array]  # dotted names: "embedding.*", "fields.*" and
    # "tracker.*" (identity, torso_reference, calibration, habit: what the sender needs)
    report: dict[str, Any] = field(default_factory=dict)  # what the fit reached, JSON values
    signer: str = ""  # its owner's Ed25519 public key in hex, which signs calls; "" for none
    digest: str = ""  # sha256 of the archive's bytes in hex; "" while never written

    def group(self, prefix: str) -> dict[str, Array]:
        """The tensors below `prefix.`, their names without it."""
        start = prefix + "."
        return {k[len(start) :]: v for k, v in self.tensors.items() if k.startswith(start)}

    @property
    def habit(self) -> Habit | None:
        """How far the person's expressions go; None in archives of before it was kept."""
        known = self.group("tracker.habit")
        return Habit(known["centre"], known["ends"]) if known else None

    @property
    def identity(self) -> Array:
        """[N] float32, the person's shape in the morphable model."""
        return np.asarray(self.tensors["tracker.identity"], np.float32)
