"""Rate-quality curves and the distance between them.

BD-rate and BD-quality: Bjontegaard, VCEG-M33, 2001, by the package `bjontegaard` (Herglotz et al.,
"Beyond Bjontegaard", ICIP 2022), with Akima's or with PCHIP interpolation over log10 of the rate.
A distance is taken only where both curves were measured; nothing is extrapolated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from avatar.errors import InputError, MissingError

Method = Literal["akima", "pchip"]

LEAST_OVERLAP = 0.75  # of the joint range, below which a distance is warned of; the package's own


class ExtrapolationError(InputError):
    """A figure was asked for where nothing was measured."""


@dataclass(frozen=True)
class Point:
    """One operating point.  rate: kbit/s, above 0.  quality: in the metric's own unit.  label:
    where it comes from, such as the codec, its size and its quantiser."""

    rate: float
    quality: float
    label: str = ""


@dataclass(frozen=True)
class Curve:
    """Operating points of one codec, in rising order of rate however they were given.
    rising: whether a higher quality figure is the better one (not so for LPIPS, L1 or GMSD)."""

    name: str
    points: tuple[Point, ...]
    rising: bool = True

    def __post_init__(self) -> None:
        for point in self.points:
            if not (np.isfinite([point.rate, point.quality]).all() and point.rate > 0):
                raise InputError(
                    f"{self.name}: no curve goes through {point.rate} kbit/s at {point.quality}",
                    "Leave points out that could not be measured.",
                )
        if not self.points:
            raise InputError(f"{self.name} has no points", "Run the codec at two points or more.")
        ordered = tuple(sorted(self.points, key=lambda point: (point.rate, point.quality)))
        object.__setattr__(self, "points", ordered)

    @property
    def rates(self) -> NDArray[np.float64]:
        """[P] kbit/s, rising."""
        return np.array([point.rate for point in self.points])

    @property
    def qualities(self) -> NDArray[np.float64]:
        """[P], by rising rate."""
        return np.array([point.quality for point in self.points])


@dataclass(frozen=True)
class Difference:
    """value: per cent of rate (negative: the test needs fewer bits) or units of quality.
    overlap: 0..1, the range that both curves cover over the range that either covers."""

    value: float
    overlap: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interval:
    """mean: over clips.  low, high: bounds of a bootstrap confidence interval of that mean."""

    mean: float
    low: float
    high: float
    level: float
    clips: int


def curve(
    name: str, rates: Sequence[float], qualities: Sequence[float], rising: bool = True
) -> Curve:
    """A curve from two columns: kbit/s and quality."""
    if len(rates) != len(qualities):
        raise InputError(
            f"{name}: {len(rates)} rates and {len(qualities)} qualities make no curve",
            "Give one quality for each rate.",
        )
    return Curve(name, tuple(map(Point, map(float, rates), map(float, qualities))), rising)


def bd_rate(
    anchor: Curve, test: Curve, method: Method = "akima", least_overlap: float = LEAST_OVERLAP
) -> Difference:
    """Per cent more (or fewer, below 0) bits that `test` takes than `anchor` at equal quality.

    Raises InputError for a curve that has fewer than two points or does not rise,
    ExtrapolationError where the curves share no quality, MissingError without `bjontegaard`.
    """
    _comparable(anchor, test)
    overlap = _overlap(anchor, test, _goodness(anchor), _goodness(test), "quality")
    value = _package().bd_rate(*_columns(anchor, test), method=method, **_UNEVEN)
    return Difference(float(value), overlap, _remarks(anchor, test, overlap, least_overlap))


def bd_quality(
    anchor: Curve, test: Curve, method: Method = "akima", least_overlap: float = LEAST_OVERLAP
) -> Difference:
    """How much higher the quality figure of `test` is than that of `anchor` at equal rate, in the
    metric's unit (for a metric that falls, a negative value is a gain).  Raises as `bd_rate`."""
    _comparable(anchor, test)
    overlap = _overlap(anchor, test, np.log10(anchor.rates), np.log10(test.rates), "rate")
    value = _package().bd_psnr(*_columns(anchor, test), method=method, **_UNEVEN)
    sign = 1.0 if anchor.rising else -1.0
    return Difference(sign * float(value), overlap, _remarks(anchor, test, overlap, least_overlap))


def rate_at(measured: Curve, quality: float) -> float:
    """kbit/s at which the curve reaches a quality: PCHIP over log10 of the rate.
    Raises ExtrapolationError outside the measured qualities."""
    sign = 1.0 if measured.rising else -1.0
    goodness = _risen(measured)
    _within(measured, sign * quality, goodness, f"quality {quality:g}")
    return float(10 ** _pchip(goodness, np.log10(measured.rates), sign * quality))


def quality_at(measured: Curve, rate: float) -> float:
    """Quality at a rate in kbit/s: PCHIP over log10 of the rate.
    Raises ExtrapolationError outside the measured rates."""
    goodness = _risen(measured)
    _within(measured, rate, measured.rates, f"{rate:g} kbit/s")
    sign = 1.0 if measured.rising else -1.0
    return sign * float(_pchip(np.log10(measured.rates), goodness, np.log10(rate)))


def upper_hull(curves: Sequence[Curve], name: str = "hull") -> Curve:
    """The best that several curves reach together: the upper convex hull of all their points over
    the rate in kbit/s, from the cheapest point to the best one.  Sharing time between two points
    reaches every rate between them, and that is a straight line over the rate, not its logarithm.
    """
    if not curves or any(one.rising != curves[0].rising for one in curves):
        raise InputError(
            "a hull needs curves of one metric", "Give one curve or more, all of one metric."
        )
    sign = 1.0 if curves[0].rising else -1.0
    points = sorted(
        (Point(p.rate, p.quality, p.label or one.name) for one in curves for p in one.points),
        key=lambda p: (p.rate, -sign * p.quality),
    )
    kept: list[Point] = []
    for point in points:
        if kept and sign * point.quality <= sign * kept[-1].quality:
            continue  # costs more and is no better
        while len(kept) > 1 and _below(kept[-2], kept[-1], point, sign):
            kept.pop()
        kept.append(point)
    return Curve(name, tuple(kept), curves[0].rising)


def interval(
    differences: Sequence[float],
    generator: np.random.Generator,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Interval:
    """The mean of one figure a clip, with its percentile bootstrap interval (Efron 1979): clips
    are drawn with replacement, since it is other clips that the figure should hold for.

    Raises InputError for fewer than two clips, or figures that are not finite.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        raise InputError(
            f"{len(values)} clips give no confidence interval",
            "Give finite figures of two or more.",
        )
    if not 0 < level < 1 or resamples < 1:
        raise InputError(
            f"there is no interval at level {level} from {resamples} draws",
            "Choose a level between 0 and 1, and thousands of draws.",
        )
    drawn = generator.integers(0, len(values), (resamples, len(values)))
    means = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), level, len(values))


def interval_over_clips(
    pairs: Sequence[tuple[Curve, Curve]],
    distance: Callable[[Curve, Curve], Difference],
    generator: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """`interval` of `bd_rate` or `bd_quality` over one (anchor, test) a clip.  A clip without a
    distance is an error, not left out: leaving out the worst clips would flatter."""
    return interval([distance(a, b).value for a, b in pairs], generator, level)


_UNEVEN = {"require_matching_points": False, "min_overlap": 0.0}  # overlap is said here


def _package() -> Any:
    try:
        import bjontegaard
    except ImportError:
        raise MissingError(
            "the package bjontegaard, which compares curves, is not installed.",
            "pip install 'facewire[bench]'",
        ) from None
    return bjontegaard


def _pchip(x: NDArray[np.float64], y: NDArray[np.float64], at: float) -> Any:
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(x, y, extrapolate=False)(at)


def _goodness(measured: Curve) -> NDArray[np.float64]:
    return measured.qualities if measured.rising else -measured.qualities


def _risen(measured: Curve) -> NDArray[np.float64]:
    """Goodness [P], strictly rising with a strictly rising rate."""
    goodness = _goodness(measured)
    if len(goodness) < 2:
        raise InputError(
            f"{measured.name} has {len(goodness)} point, which is no curve",
            "Run the codec at two points or more.",
        )
    if (np.diff(measured.rates) <= 0).any() or (np.diff(goodness) <= 0).any():
        raise InputError(
            f"{measured.name} does not get better with every bit it spends",
            "Compare its upper_hull, which leaves the wasteful points out.",
        )
    return goodness


def _comparable(anchor: Curve, test: Curve) -> None:
    _risen(anchor)
    _risen(test)
    if anchor.rising != test.rising:
        raise InputError(
            f"{anchor.name} and {test.name} are not of one metric", "Compare like with like."
        )


def _columns(anchor: Curve, test: Curve) -> tuple[NDArray[np.float64], ...]:
    return anchor.rates, _goodness(anchor), test.rates, _goodness(test)


def _overlap(
    anchor: Curve, test: Curve, a: NDArray[np.float64], b: NDArray[np.float64], what: str
) -> float:
    shared = min(a.max(), b.max()) - max(a.min(), b.min())
    if shared <= 0:
        raise ExtrapolationError(
            f"{anchor.name} and {test.name} share no {what}: nothing lies between them to average",
            f"Run both at points of one range of {what}, or say that it was not reached.",
        )
    return float(shared / (max(a.max(), b.max()) - min(a.min(), b.min())))


def _remarks(anchor: Curve, test: Curve, overlap: float, least: float) -> tuple[str, ...]:
    if overlap >= least:
        return ()
    return (
        f"{anchor.name} and {test.name} overlap by {overlap:.0%} of what they cover together: "
        f"below {least:.0%} their distance says little",
    )


def _within(measured: Curve, value: float, axis: NDArray[np.float64], what: str) -> None:
    if not axis.min() <= value <= axis.max():
        raise ExtrapolationError(
            f"{measured.name} was not measured at {what}",
            "Run the codec at more points, or say that it does not reach it.",
        )


def _below(first: Point, middle: Point, last: Point, sign: float) -> bool:
    """Whether the middle point lies on or below the straight line between the others."""
    steep = sign * (middle.quality - first.quality) * (last.rate - first.rate)
    return steep <= sign * (last.quality - first.quality) * (middle.rate - first.rate)
