"""A codec's pictures against what was filmed: every metric on every region that it can judge."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.metric import Frames, Metric
from bench.regions import SIDES, WHOLE, Boxes, cuts


@dataclass(frozen=True)
class Measured:
    """One metric on one region.  mean, low: over the frames judged; low is the fifth percentile
    of the worse side.  needs: "" or why there is no figure (mean and low are NaN then)."""

    metric: str
    region: str
    mean: float
    low: float
    frames: int
    needs: str = ""

    def values(self) -> dict[str, Any]:
        """JSON values."""
        if self.needs:
            return {"metric": self.metric, "region": self.region, "needs": self.needs}
        return dict(self.__dict__) | {"needs": ""}

    @staticmethod
    def parse(values: Mapping[str, Any]) -> Measured:
        nothing: dict[str, Any] = {"mean": float("nan"), "low": float("nan"), "frames": 0}
        return Measured(**(nothing | dict(values)))


def measure(
    reference: Frames, pictures: Frames, boxes: Boxes, metrics: Iterable[Metric]
) -> list[Measured]:
    """What is not here, or cannot be judged, is listed with the reason; nothing takes its place."""
    judge = _Judge(np.asarray(reference), np.asarray(pictures), boxes)
    return [judge.measure(metric, region) for metric in metrics for region in metric.regions]


class _Judge:
    """Regions are cut once for all metrics."""

    def __init__(self, reference: Frames, pictures: Frames, boxes: Boxes) -> None:
        self._reference, self._pictures, self._boxes = reference, pictures, boxes
        self._kept: dict[str, tuple[Frames, Frames]] = {}

    def measure(self, metric: Metric, region: str) -> Measured:
        needs = metric.missing() or self._cannot(metric, region)
        if needs:
            return _none(metric, region, needs)
        try:
            figures = self._figures(metric, region)
        except Exception as error:  # a metric's fault costs its figure, not the point
            return _none(metric, region, f"failed: {type(error).__name__}: {error}")
        found = figures[np.isfinite(figures)]
        if not len(found):
            return _none(metric, region, "no frame could be judged")
        low = float(np.quantile(found, 0.05 if metric.rising else 0.95))
        whole = found.mean() if metric.pool == "mean" else np.sqrt(np.mean(found**2))
        return Measured(metric.name, region, float(whole), low, len(found))

    def _cannot(self, metric: Metric, region: str) -> str:
        if region != WHOLE and (
            region not in self._boxes or not np.isfinite(self._boxes[region]).all(axis=1).any()
        ):
            return "no face was found"
        side = min(self._reference.shape[1:3]) if region == WHOLE else SIDES[region]
        if side < metric.least and (region == WHOLE or metric.resized):
            return f"needs {metric.least} pixels each way"
        return ""

    def _figures(self, metric: Metric, region: str) -> NDArray[np.float64]:
        if region == WHOLE:
            return metric.measure(self._reference, self._pictures)
        if metric.resized:
            return metric.measure(*self._cut(region))
        clips = (cuts(clip, self._boxes[region]) for clip in (self._reference, self._pictures))
        pairs = zip(*clips, strict=True)
        return np.array([metric.measure(mine[None], theirs[None])[0] for mine, theirs in pairs])

    def _cut(self, region: str) -> tuple[Frames, Frames]:
        """The region of every frame that has it, at one size."""
        if region not in self._kept:
            boxes, side = self._boxes[region], SIDES[region]
            shown = np.stack(list(cuts(self._pictures, boxes, side)))
            self._kept[region] = (_filmed(self._reference, boxes, side), shown)
        return self._kept[region]


_cut_before: OrderedDict[tuple[object, ...], Frames] = OrderedDict()


def _filmed(reference: Frames, boxes: NDArray[np.float64], side: int) -> Frames:
    """The reference's cuts: the same for every codec that is compared with it, made once."""
    clip = zlib.crc32(np.ascontiguousarray(reference).data)
    key = (reference.shape, clip, np.asarray(boxes).tobytes(), side)
    if key not in _cut_before:
        _cut_before[key] = np.stack(list(cuts(reference, boxes, side)))
        while len(_cut_before) > len(SIDES):
            _cut_before.popitem(last=False)
    _cut_before.move_to_end(key)
    return _cut_before[key]


def _none(metric: Metric, region: str, needs: str) -> Measured:
    return Measured(metric.name, region, float("nan"), float("nan"), 0, needs)
