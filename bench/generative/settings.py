"""The sizes of the methods' networks: a grid of 64 and about what MTTF lite computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from codec.mttf.settings import Resolutions

POINTS = 10  # key points of FOMM and DAC
COMPACT = 4  # side of CFTE's matrix
SPACE_POINTS = 15  # of FV2V
SPLINES, SPLINE_POINTS = 10, 5  # of TPS: splines, and key points of each
REGIONS = 10  # of MRAA
DIRECTIONS = 20  # of LIA
FACE_POINTS = 68  # of Bi-layer


@dataclass(frozen=True)
class MethodSettings(Resolutions):
    """name: of the weights, METHOD-SIZE.  numbers: sent a frame.  grid: side of the motion grid,
    pixels.  largest, resolutions: as MTTF's.
    detector: widths by level of the U-Net that finds what is sent.  motion: of the one that blends
    the candidate motions.  features: widths of the generator's blocks, the picture's end first.
    residuals: its blocks on the grid.
    """

    name: str
    numbers: int
    grid: int = 64
    largest: int = 512
    resolutions: int = 3
    detector: tuple[int, ...] = (16, 32, 64, 96)
    motion: tuple[int, ...] = (48, 64, 96, 128)
    features: tuple[int, ...] = (16, 24, 40, 64)
    residuals: int = 2

    @property
    def method(self) -> str:
        return self.name.partition("-")[0]

    @property
    def file(self) -> str:
        return f"{self.name}.safetensors"

    def network(self) -> Any:
        return _network(self.method)(self)


def _network(method: str) -> Callable[[MethodSettings], Any]:
    """Looked up when a network is made: their modules load torch."""
    from bench.generative.bilayer import BiLayer
    from bench.generative.cfte import Cfte
    from bench.generative.dac import Dac
    from bench.generative.fomm import Fomm
    from bench.generative.fv2v import Fv2v
    from bench.generative.lia import Lia
    from bench.generative.mraa import Mraa
    from bench.generative.tps import Tps

    methods = {
        "fomm": Fomm, "dac": Dac, "cfte": Cfte, "fv2v": Fv2v, "tps": Tps, "mraa": Mraa, "lia": Lia,
        "bilayer": BiLayer,
    }  # fmt: skip
    return methods[method]


METHODS = {
    settings.name: settings
    for settings in (
        MethodSettings("fomm-lite", 6 * POINTS),
        MethodSettings("dac-lite", 2 * POINTS),
        MethodSettings("cfte-lite", COMPACT * COMPACT),
        MethodSettings("fv2v-lite", 9 + 3 + 3 * SPACE_POINTS),
        MethodSettings("tps-lite", 2 * SPLINES * SPLINE_POINTS),
        MethodSettings("mraa-lite", 5 * REGIONS),
        MethodSettings("lia-lite", DIRECTIONS),
        MethodSettings("bilayer-lite", 2 * FACE_POINTS),
    )
}
