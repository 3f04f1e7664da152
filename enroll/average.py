"""The moving average of a fit's weights, which is what is looked at and kept.

Steps that are large enough to learn all through a fit leave noise in what they learned.  Their
average has none of it, where small last steps would only lessen it (Polyak and Juditsky,
"Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 1992).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_EARLY = 10  # steps in which a short fit outgrows where it began


class Average:
    """Of parameters that an optimiser moves.  decay: of the average's old value, a step."""

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self._moved = [parameter.detach() for parameter in parameters]
        self._kept = [value.clone() for value in self._moved]
        self._decay = decay

    @torch.no_grad()
    def follow(self, done: int) -> None:
        """After `done` steps."""
        decay = min(self._decay, (1 + done) / (_EARLY + done))
        torch._foreach_lerp_(self._kept, self._moved, 1.0 - decay)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within it the parameters are the average."""
        moved = [value.clone() for value in self._moved]
        self.settle()
        try:
            yield
        finally:
            torch._foreach_copy_(self._moved, moved)

    def settle(self) -> None:
        """From here on the parameters are the average."""
        torch._foreach_copy_(self._moved, self._kept)

    def values(self) -> list[Tensor]:
        return self._kept

    def take(self, values: list[Tensor] | None) -> None:
        """What `values` gave before; None, as in checkpoints that had none: what has been reached.
        Raises ValueError for those of other parameters."""
        reached = self._moved if values is None else values
        for kept, value in zip(self._kept, reached, strict=True):
            kept.copy_(value)
