"""How a call is looked at: the receiver's choice, unknown to the sender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError

FITS = ("contain", "cover", "extend")
SMALLEST, LARGEST = 16, 4096  # pixels each way
DEFAULT_SIZE = 512

Background = str | tuple[int, int, int] | NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class View:
    """width, height: pixels.  fit: of the avatar's square in them.  background: "learned",
    "blur", a colour, or a picture [h, w, 3] uint8 RGB."""

    width: int = DEFAULT_SIZE
    height: int = DEFAULT_SIZE
    fit: str = "contain"
    background: Background = "learned"

    def __post_init__(self) -> None:
        if not all(SMALLEST <= side <= LARGEST for side in (self.width, self.height)):
            raise InputError(
                f"a picture of {self.width}x{self.height} pixels cannot be rendered",
                f"Sizes go from {SMALLEST}x{SMALLEST} to {LARGEST}x{LARGEST}.",
            )
        if self.fit not in FITS:
            raise InputError(f"fit {self.fit!r} is not known", f"Choose one of {', '.join(FITS)}.")
