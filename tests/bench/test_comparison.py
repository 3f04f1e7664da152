"""Codecs side by side: hulls over variants, rates at equal quality, distances, downloads."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avatar.errors import InputError
from bench.comparison import boards, distances, equal_quality, paybacks
from bench.measure import Measured
from bench.results import FAILED, Record


def point(
    codec: str, kbps: float, quality: float, clip: str = "a", family: str = "", **more: object
) -> Record:
    """A record of 10 s at this rate."""
    figure = Measured("PSNR", "whole", quality, quality, 250)
    size = round(kbps * 1250)
    base = Record(clip, 256, codec, kbps, "key", codec, family or codec)
    values = base.__dict__ | {
        "parts": {"stream": size}, "packets": 250, "frames": 250, "seconds": 10.0,
        "figures": (figure,),
    }  # fmt: skip
    return Record(**(values | more))


OURS = [
    point("avatar", 1.0, 28.0, archive=1_000_000),
    point("avatar", 2.0, 31.0, archive=1_000_000),
]
RIVAL = [
    point("vvc", 10.0, 30.0),
    point("vvc", 20.0, 33.0),
    point("vvc-half", 4.0, 27.0, family="vvc"),
    point("vvc-half", 12.0, 28.0, family="vvc"),  # below the hull
]
STILL = point("still", 0.0, 22.0, counts=False, parts={"none": 0})


def test_a_family_s_hull_is_what_its_best_variants_reach() -> None:
    (board,) = boards([*OURS, *RIVAL, STILL], "PSNR")
    assert board.hulls["vvc"].rates.tolist() == [4.0, 10.0, 20.0]
    assert [p.label for p in board.hulls["vvc"].points] == ["vvc-half 4", "vvc 10", "vvc 20"]
    assert board.stills == {"still": 22.0}
    assert "still" not in board.hulls


def test_rates_at_equal_quality() -> None:
    (board,) = boards([*OURS, *RIVAL], "PSNR")
    first, second = equal_quality(board, "avatar")
    # 28 dB lies between 27 dB at 4 kbit/s and 30 dB at 10 kbit/s.
    assert 4 < first.rival_kbps < 10 and first.remark == ""
    assert first.ratio == pytest.approx(1.0 / first.rival_kbps)
    assert 10 < second.rival_kbps < 20


def test_what_a_rival_does_not_reach_is_said_and_not_made_up() -> None:
    high = [*RIVAL, point("avatar", 1.0, 40.0)]
    (row,) = equal_quality(boards(high, "PSNR")[0], "avatar")
    assert math.isnan(row.rival_kbps) and math.isnan(row.ratio)
    assert row.remark == "not reached up to 20.0 kbit/s (33)"
    low = [*RIVAL, point("avatar", 1.0, 20.0)]
    (row,) = equal_quality(boards(low, "PSNR")[0], "avatar")
    assert row.rival_kbps == 4.0 and math.isnan(row.ratio)
    assert row.remark == "no cheaper point, and this one is better (27)"
    (payback,) = paybacks([*low, *OURS], [row])
    assert payback.remark == row.remark and payback.seconds == pytest.approx(8000 / 3.0)


def test_distances_over_clips() -> None:
    records = []
    for clip, factor in (("a", 0.5), ("b", 0.25)):
        for kbps, quality in ((10.0, 28.0), (20.0, 31.0), (40.0, 34.0), (80.0, 36.0)):
            records.append(point("vvc", kbps, quality, clip))
            records.append(point("avatar", kbps * factor, quality, clip))
    (distance,) = distances(boards(records, "PSNR"), "vvc", np.random.default_rng(0))
    assert distance.clips["a"] == pytest.approx(-50, abs=0.01)
    assert distance.clips["b"] == pytest.approx(-75, abs=0.01)
    assert distance.over is not None and distance.over.mean == pytest.approx(-62.5, abs=0.01)
    assert distance.remarks == ()


def test_hulls_that_share_no_quality_have_no_distance() -> None:
    records = [*RIVAL, point("avatar", 1.0, 40.0), point("avatar", 2.0, 41.0)]
    (distance,) = distances(boards(records, "PSNR"), "vvc", np.random.default_rng(0))
    assert math.isnan(distance.clips["a"]) and distance.over is None
    assert distance.remarks == ("a: all of avatar lies above all of vvc: no distance",)
    mixed = [*boards(records, "PSNR"), *boards(OURS, "SSIM")]
    assert len(mixed) == 1
    with pytest.raises(InputError, match="several metrics"):
        other = boards([point("vvc", 1.0, 1.0, clip="z", size=128)], "PSNR")
        distances([*mixed, *other], "vvc", np.random.default_rng(0))


def test_the_download_is_paid_back_by_what_it_saves() -> None:
    records = [*OURS, *RIVAL]
    rows = equal_quality(boards(records, "PSNR")[0], "avatar")
    first = paybacks(records, rows)[0]
    # 8000 kbit against (rival - 1) kbit/s.
    assert first.seconds == pytest.approx(8000 / (first.rival_kbps - 1.0))
    assert first.amortised["1 h"] == pytest.approx(1.0 + 8000 / 3600)
    never = [point("vvc", 0.5, 27.0), point("vvc", 0.6, 31.0), *OURS]
    rows = equal_quality(boards(never, "PSNR")[0], "avatar")
    assert all(math.isinf(p.seconds) for p in paybacks(never, rows))


def test_failed_points_are_on_no_board() -> None:
    assert boards([point("vvc", 1.0, 30.0, state=FAILED)], "PSNR") == []
