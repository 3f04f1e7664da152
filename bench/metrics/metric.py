"""What a metric is: a figure for every frame, its unit, and whether it can be had here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MismatchError, MissingError
from bench.regions import FACE, WHOLE

Frames = NDArray[np.uint8]  # [F, H, W, 3] RGB


def nothing() -> str:
    """Nothing is missing."""
    return ""


@dataclass(frozen=True)
class Metric:
    """name: short, as tables have it.  rising: whether more is better.  source: the paper or the
    program.  figures: (reference, pictures), both [F, H, W, 3] RGB uint8, to one figure a frame
    [F]; None where only a plug-in has it.  missing: "" or what is needed ("needs FILE"), looked
    up when asked.  A metric that is not here is named, never replaced by another.

    regions: where it means something.  resized: whether a region is brought to one size first
    (`bench.regions.SIDES`), as it must be for what judges clips or scales.  least: pixels each way
    below which it cannot judge.  pool: how frames become one figure.  NaN for a frame that says
    nothing is left out of it."""

    name: str
    unit: str
    rising: bool
    source: str
    figures: Callable[[Frames, Frames], NDArray[np.float64]] | None
    missing: Callable[[], str] = nothing
    regions: tuple[str, ...] = (WHOLE, FACE)
    resized: bool = True
    least: int = 1
    pool: Literal["mean", "rms"] = "mean"

    def measure(self, reference: Frames, pictures: Frames) -> NDArray[np.float64]:
        """One figure a frame, [F].  Raises InputError or MismatchError for frames that cannot be
        compared, MissingError where the metric is not here."""
        for frames in (reference, pictures):
            if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
                raise InputError(
                    f"{self.name} cannot judge frames of shape {frames.shape}, {frames.dtype}",
                    "Give frames [F, H, W, 3] uint8 RGB.",
                )
        if reference.shape != pictures.shape or not len(reference):
            raise MismatchError(
                f"{self.name} cannot compare frames {reference.shape} and {pictures.shape}",
                "Align the clips: as many frames of one size on both sides, at least one.",
            )
        missing = self.missing()
        if missing or self.figures is None:
            raise MissingError(f"{self.name} {missing}", "See `facewire bench list`.")
        figures = np.asarray(self.figures(reference, pictures), np.float64)
        if figures.shape != (len(reference),):
            raise MismatchError(
                f"{self.name} gave figures {figures.shape} for {len(reference)} frames",
                "A metric returns one figure a frame.",
            )
        return figures


def each(of: Callable[[Any, Any], float]) -> Callable[[Frames, Frames], NDArray[np.float64]]:
    """A metric of two pictures as one of two clips."""

    def figures(reference: Frames, pictures: Frames) -> NDArray[np.float64]:
        return np.array([of(a, b) for a, b in zip(reference, pictures)])

    return figures
