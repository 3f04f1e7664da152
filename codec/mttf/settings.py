"""The sizes of the network.

MTTF gives no channel widths: those below are ours.  It gives r = 512, N_s = 3, N_F = 20 and s,
which it prints as 0.25 and uses as 4.  By Eq. 17 and 19 there are 2, 1 and 0 up-samplings for 512,
256 and 128, so what is constant is the side of the motion grid, r / s = 128: it is the setting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from avatar.errors import InputError


class Resolutions:
    """What follows from a motion grid and the largest picture: how many resolutions there are."""

    grid: int
    largest: int
    resolutions: int

    @property
    def blocks(self) -> int:
        """N_B = log2 s.  MTTF also asks for N_s <= N_B, which its own s = 4 and N_s = 3 break; a
        route without any up-sampling serves the third resolution."""
        return (self.largest // self.grid).bit_length() - 1

    @property
    def sides(self) -> tuple[int, ...]:
        """The resolutions r_i, Eq. 17, largest first."""
        return tuple(self.largest >> i for i in range(self.resolutions))

    def samplings(self, side: int) -> int:
        """n_u = log2(s r_i / r), Eq. 19: up-samplings from the grid to a picture of `side`.

        Raises InputError for a side that is none of `sides`.
        """
        if side not in self.sides:
            raise InputError(
                f"the fallback codes no pictures of {side}x{side}",
                f"Choose from {', '.join(map(str, self.sides))}.",
            )
        return (side // self.grid).bit_length() - 1


@dataclass(frozen=True)
class NetworkSettings(Resolutions):
    """latents: N_F; 2 N_F numbers are sent a frame.  background: N_bg of the 2 N_F motions.
    mesh: numbers of a guiding mesh of face and body, sent beside those (`guide.py`); 0 is MTTF as
    it is printed.  shape: numbers of it that go along with a key frame.
    grid: side of the motion grid, pixels.  largest: r.  resolutions: N_s.
    extractor, flow, weight, ground: widths of the U-Nets E_F, FL, W and BG by level.
    predictor: width of E_W and E_B.
    foreground: c_0 .. c_NB, widths of the generator's features by block, c_0 before the picture.
    scenery: the same of the background's decoder, whose c_NB is what BG gives.
    ends: kernel of the first and last convolution of FL and W.
    """

    name: str
    grid: int
    extractor: tuple[int, ...]
    predictor: int
    flow: tuple[int, ...]
    weight: tuple[int, ...]
    ground: tuple[int, ...]
    foreground: tuple[int, ...]
    scenery: tuple[int, ...]
    latents: int = 20
    background: int = 5
    mesh: int = 0
    shape: int = 16
    largest: int = 512
    resolutions: int = 3
    ends: int = 3

    @property
    def numbers(self) -> int:
        """Of a frame: w and b, Eq. 5 and 6, and the mesh's."""
        return 2 * self.latents + self.mesh

    @property
    def file(self) -> str:
        return f"mttf-{self.name}.safetensors"

    def network(self) -> Any:
        from codec.mttf.network import Mttf

        return Mttf(self)


FULL = NetworkSettings(
    "full",
    grid=128,
    extractor=(48, 96, 192, 320, 384),
    predictor=64,
    flow=(64, 128, 256, 320, 384),
    weight=(64, 128, 256, 320, 384),
    ground=(64, 128, 256, 320),
    foreground=(48, 96, 192),
    scenery=(32, 64, 96),
    mesh=32,
)

# Chosen by milliseconds on 2 CPU cores, `facewire doctor --mttf`: a grid of half the side, and
# dense convolutions, because separable ones are slower on a CPU for what they do.  About as many
# numbers as MTTF sends, most of them the mesh's.
LITE = NetworkSettings(
    "lite",
    grid=64,
    extractor=(16, 32, 64, 96),
    predictor=32,
    flow=(32, 48, 64, 96),
    weight=(32, 48, 64, 96),
    ground=(24, 32, 48),
    foreground=(16, 24, 40, 64),
    scenery=(8, 12, 20, 32),
    latents=6,
    background=3,
    mesh=32,
)

# MTTF as it is printed, of the same widths: what the guide gives is told by comparison.
PLAIN = replace(LITE, name="plain", latents=20, background=5, mesh=0)

SETTINGS = {settings.name: settings for settings in (FULL, LITE, PLAIN)}
