"""What the trainer, the file of weights and the runtime ask of a network: MTTF's is one.

A network moves a key frame by the few numbers of a frame.  Others than MTTF, which a comparison
trains on the same pictures and sends through the same coder, offer the same.  B pictures in 0 .. 1
of side R.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from codec.mttf.portraits import Portraits

if TYPE_CHECKING:
    from codec.mttf.generator import Generated  # which loads torch

Tensor = Any


class NetworkKind(Protocol):
    """A network's settings, a frozen dataclass and so hashable.

    name: in the file of weights.  numbers: sent a frame.  sides: of the pictures that it makes,
    largest first.  file: what its weights are looked for as.
    """

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def numbers(self) -> int: ...

    @property
    def sides(self) -> tuple[int, ...]: ...

    @property
    def file(self) -> str: ...

    def samplings(self, side: int) -> int:
        """Raises InputError for a side that is none of `sides`."""

    def network(self) -> Any:
        """A new `Network`, untrained.  Raises MissingError without torch."""


class Network(Protocol):
    """A torch module as well.  What `hold` gives is its own affair, but for `key`.  Meshes are
    [B, P, 2] landmarks, 0 .. 1 of the picture; a network that none guides does not look at them.
    """

    settings: NetworkKind
    draws: bool  # whether `penalties` draw by chance, which a recorded step cannot

    @property
    def learns_motion(self) -> bool:
        """Whether meshes teach it while training is young (`codec.mttf.teacher`), because none says
        to it how a key frame moves."""

    @property
    def told(self) -> int:
        """How many numbers a key frame says of its face; 0 where meshes are of no use but in the
        training."""

    def prepare(self, portraits: Portraits) -> None:
        """Before training: what it takes from its data without gradients."""

    def vectors(self, picture: Tensor, mesh: Tensor | None = None) -> Tensor:
        """[B, 3, R, R] -> [B, numbers], in units of which `vectors.STEP` is a step."""

    def face(self, mesh: Tensor) -> Tensor | None:
        """What a key frame says of its face [B, F], in such units; None for nothing."""

    def hold(self, key: Tensor, face: Tensor | None = None) -> Any:
        """What a receiver keeps of a key frame [B, 3, R, R]."""

    def own(self, held: Any) -> Tensor:
        """The key frame's own numbers, [B, numbers]; never sent."""

    def generate(self, held: Any, vectors: Tensor) -> Generated:
        """A `mask` of None where the network tells no person from the background."""

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """What its paper asks for beside the pictures that it makes, weighted, by name.
        vectors: those of `picture`."""
