"""Distances between curves: published pairs, curves worked out by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from avatar.errors import InputError
from bench.curves import (
    Curve,
    ExtrapolationError,
    Point,
    bd_quality,
    bd_rate,
    curve,
    interval,
    interval_over_clips,
    quality_at,
    rate_at,
    upper_hull,
)

pytest.importorskip("bjontegaard")

RATES = [100.0, 200.0, 400.0, 800.0]
QUALITY = [30.0, 33.0, 35.5, 37.0]

# JCTVC-E137, with the BD-rates that Netflix's VMAF publishes for it from the standard's own sheet
# (python/test/bd_rate_calculator_test.py).
PUBLISHED = [
    (
        [108048.8736, 61279.976, 33905.6656, 18883.6928],
        [43.6471, 40.3953, 37.247, 34.2911],
        [108061.2784, 61299.9936, 33928.7472, 18910.912],
        [43.6768, 40.4232, 37.2761, 34.3147],
        -0.465215420752807,
    ),
    (
        [40433.8848, 7622.7456, 2394.488, 1017.6184],
        [37.5761, 35.3756, 33.8977, 32.0603],
        [40370.12, 7587.0024, 2390.0944, 1017.0984],
        [37.5982, 35.4025, 33.9194, 32.0822],
        -1.8779823450567612,
    ),
]


@pytest.mark.parametrize("rates, quality, test_rates, test_quality, percent", PUBLISHED)
def test_a_published_pair_is_reproduced(rates, quality, test_rates, test_quality, percent) -> None:
    measured = bd_rate(
        curve("anchor", rates, quality), curve("test", test_rates, test_quality), "pchip"
    )
    assert measured.value == pytest.approx(percent, rel=1e-3)
    assert measured.overlap > 0.98 and not measured.warnings


@pytest.mark.parametrize("method", ["akima", "pchip"])
def test_half_the_rate_is_minus_fifty_per_cent(method) -> None:
    anchor = curve("anchor", RATES, QUALITY)
    test = curve("test", [r / 2 for r in RATES], QUALITY)
    assert bd_rate(anchor, test, method).value == pytest.approx(-50, abs=1e-9)
    assert bd_rate(test, anchor, method).value == pytest.approx(100, abs=1e-9)
    louder = curve("test", RATES, [q + 1.5 for q in QUALITY])
    assert bd_quality(anchor, louder, method).value == pytest.approx(1.5, abs=1e-9)


def test_a_metric_that_falls_keeps_its_sign() -> None:
    anchor = curve("anchor", RATES, [0.4, 0.3, 0.25, 0.2], rising=False)
    test = curve("test", [r / 4 for r in RATES], [0.4, 0.3, 0.25, 0.2], rising=False)
    better = curve("test", RATES, [0.3, 0.2, 0.15, 0.1], rising=False)
    assert bd_rate(anchor, test).value == pytest.approx(-75)
    assert bd_quality(anchor, better).value == pytest.approx(-0.1)
    assert rate_at(anchor, 0.3) == pytest.approx(200)
    assert quality_at(anchor, 400) == pytest.approx(0.25)


def test_points_may_come_in_any_order_and_number() -> None:
    anchor = curve("anchor", RATES, QUALITY)
    test = Curve("test", tuple(Point(r / 2, q) for r, q in zip(RATES[::-1], QUALITY[::-1])))
    assert list(test.rates) == [50, 100, 200, 400]
    assert bd_rate(anchor, test).value == pytest.approx(-50)
    fewer = curve("fewer", RATES[:3], QUALITY[:3])
    assert bd_rate(anchor, fewer, "pchip").value == pytest.approx(0, abs=1.0)


def test_little_overlap_is_said_and_none_is_refused() -> None:
    anchor = curve("anchor", RATES, [30, 31, 32, 33])
    some = bd_rate(anchor, curve("some", RATES, [32, 33, 34, 35]))
    assert some.overlap == pytest.approx(0.2)
    assert "20%" in some.warnings[0]
    far = curve("far", RATES, [40, 41, 42, 43])
    with pytest.raises(ExtrapolationError, match="share no quality") as caught:
        bd_rate(anchor, far)
    assert caught.value.cure and isinstance(caught.value, InputError)
    with pytest.raises(ExtrapolationError, match="share no rate"):
        bd_quality(anchor, curve("dear", [r * 100 for r in RATES], QUALITY))


def test_nothing_is_read_off_beyond_what_was_measured() -> None:
    measured = curve("vvc", RATES, QUALITY)
    assert rate_at(measured, 33.0) == pytest.approx(200)
    assert 200 < rate_at(measured, 34.0) < 400
    assert quality_at(measured, 800.0) == pytest.approx(37)
    for quality in (29.9, 37.1, float("nan")):
        with pytest.raises(ExtrapolationError, match="not measured"):
            rate_at(measured, quality)
    with pytest.raises(ExtrapolationError, match="99 kbit/s"):
        quality_at(measured, 99.0)


def test_curves_that_are_none_are_refused() -> None:
    anchor = curve("anchor", RATES, QUALITY)
    with pytest.raises(InputError, match="does not get better"):
        bd_rate(anchor, curve("bent", RATES, [30, 34, 33, 37]))
    with pytest.raises(InputError, match="1 point"):
        bd_rate(anchor, curve("one", [100], [30]))
    with pytest.raises(InputError, match="no points"):
        Curve("none", ())
    for rate, quality in [(0.0, 30.0), (10.0, float("nan")), (float("inf"), 30.0)]:
        with pytest.raises(InputError, match="no curve goes through"):
            curve("broken", [rate], [quality])
    with pytest.raises(InputError, match="2 rates and 1 qualities"):
        curve("uneven", [1, 2], [30])
    with pytest.raises(InputError, match="one metric"):
        bd_rate(anchor, curve("l1", RATES, QUALITY[::-1], rising=False))


def test_the_hull_takes_each_size_where_it_is_best() -> None:
    full = curve("full", [8, 16, 32], [24, 30.5, 33])
    half = curve("half", [3, 6, 12], [25, 28, 28.5])
    hull = upper_hull([full, half])
    assert [(p.rate, p.label) for p in hull.points] == [
        (3, "half"), (6, "half"), (16, "full"), (32, "full"),
    ]  # fmt: skip
    for one in (full, half):
        for point in one.points:
            assert np.interp(point.rate, hull.rates, hull.qualities) >= point.quality - 1e-12
    slopes = np.diff(hull.qualities) / np.diff(hull.rates)
    assert (np.diff(slopes) < 0).all()


def test_the_hull_of_a_metric_that_falls_lies_below() -> None:
    hull = upper_hull([curve("a", [1, 2, 3, 4], [0.5, 0.45, 0.2, 0.3], rising=False)])
    assert list(hull.rates) == [1, 3] and list(hull.qualities) == [0.5, 0.2]
    with pytest.raises(InputError, match="one metric"):
        upper_hull([hull, curve("psnr", RATES, QUALITY)])


def test_the_interval_is_that_of_the_mean_and_repeats() -> None:
    values = np.random.default_rng(5).normal(-40, 6, 60)
    first = interval(values, np.random.default_rng(1))
    assert first == interval(values, np.random.default_rng(1))
    assert first.mean == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(60)  # the normal approximation
    assert first.low == pytest.approx(values.mean() - half, abs=0.15)
    assert first.high == pytest.approx(values.mean() + half, abs=0.15)
    assert interval([7.0, 7.0], np.random.default_rng(1)).high == 7.0


def test_the_interval_over_clips_needs_every_clip() -> None:
    pairs = [
        (curve("a", RATES, QUALITY), curve("b", [r * s for r in RATES], QUALITY))
        for s in (0.5, 0.6, 0.7)
    ]
    got = interval_over_clips(pairs, bd_rate, np.random.default_rng(2))
    assert got.clips == 3 and got.mean == pytest.approx(-40)
    assert -50 - 1e-6 <= got.low < -40 < got.high <= -30 + 1e-6
    with pytest.raises(InputError, match="1 clips"):
        interval_over_clips(pairs[:1], bd_rate, np.random.default_rng(2))
    lost = (curve("a", RATES, QUALITY), curve("b", RATES, [50, 51, 52, 53]))
    with pytest.raises(ExtrapolationError):
        interval_over_clips([*pairs, lost], bd_rate, np.random.default_rng(2))
