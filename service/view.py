"""How a call is looked at: the receiver's choice, unknown to the sender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError

FITS = ("contain", "cover", "extend")
SMALLEST, LARGEST = 16, 4096  # pixels each way
DEFAULT_SIZE = 512

Colour = tuple[int, int, int]
Background = str | Colour | NDArray[np.uint8]

COLOURS: dict[str, Colour] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "green": (0, 177, 64),  # of a chroma key screen
    "blue": (0, 71, 187),
}


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


def background_of(text: str) -> str | Colour | None:
    """learned, blur, or a colour by its name or as #rrggbb; None for any other word.  Raises
    InputError for a # before what is no colour."""
    if text in ("learned", "blur"):
        return text
    if not text.startswith("#"):
        return COLOURS.get(text.lower())
    digits = text[1:] if len(text) == 7 else "".join(c + c for c in text[1:])
    try:
        red, green, blue = bytes.fromhex(digits)
    except ValueError:
        raise InputError(f"{text!r} is no colour", "Give it as #rrggbb.") from None
    return red, green, blue
